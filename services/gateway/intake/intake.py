"""The first stage: a request's body becomes a query, within bounds of size, time and number."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread
from PIL import Image
from starlette.requests import ClientDisconnect, Request

from prompt4trust.pictures import PictureLimits, PreparedPicture, decode_picture
from prompt4trust.shift import Described, get_descriptor
from services.common.auth.authenticator import key_of
from services.common.http.body import read_body
from services.common.http.problems import request_id_of
from services.gateway.intake.connection import while_connected
from services.gateway.intake.gate import Gate
from services.gateway.intake.idempotency import answer_id_of
from services.gateway.intake.query import Query
from services.gateway.intake.submission import Submission, read_submission


@dataclass(frozen=True, slots=True)
class Intake:
    """Reads bodies and prepares pictures.

    Attributes:
        methods: Methods that clients may ask for, the default one first.
        limits: What a picture may be.
        max_image_bytes: Largest file of a picture.
        max_body_bytes: Largest body.
        upload_deadline_s: Longest time for a body to arrive, in seconds.
        deadline_s: Longest time for what follows, in seconds.
        uploads: Bounds the bodies and undecoded pictures that are held at once.
        workers: Bounds what is decoded at once.
        clock: Monotonic seconds.
    """

    methods: Sequence[str]
    limits: PictureLimits
    max_image_bytes: int
    max_body_bytes: int
    upload_deadline_s: float
    deadline_s: float
    uploads: Gate
    workers: anyio.CapacityLimiter
    clock: Callable[[], float] = time.perf_counter

    async def read(self, request: Request, descriptors: Sequence[str]) -> Query:
        """Read a request.

        Args:
            request: The request to /vqa.
            descriptors: Ids of the descriptors by which its question is to be described.

        Returns:
            The query.

        Raises:
            Problem: If the body, the Idempotency-Key or the picture's size is not taken.
            RequestValidationError: If a field is wrong.
            PictureError: If the picture is not taken.
            BusyError: If too many are being read.
            TimeoutError: If reading took too long.
            ClientDisconnect: If the client left.
        """
        key = key_of(request.scope)
        answer_id = answer_id_of(request.headers, "" if key is None else key.name)
        # A client's file takes memory from its first byte until it has become a small picture: one bound for both.
        async with self.uploads.place():
            body = await read_body(request.scope, request.receive, self.max_body_bytes, self.upload_deadline_s)
            if body is None:
                raise ClientDisconnect
            started = self.clock()
            with anyio.fail_after(self.deadline_s):
                submission = await read_submission(request.headers, body, self.max_image_bytes, self.methods)
                work = partial(_prepare, submission, self.limits, descriptors if submission.ask.options else ())
                # An abandoned thread keeps its token until it ends, so that the bound on memory holds.
                in_thread = partial(
                    anyio.to_thread.run_sync, work, limiter=self.workers, abandon_on_cancel=True
                )  # fmt: skip
                picture, described = await while_connected(request.receive, in_thread)
        return Query(
            ask=submission.ask,
            picture=picture,
            described=described,
            id=answer_id or str(uuid.uuid4()),
            is_repeatable=answer_id is not None,
            request_id=request_id_of(request),
            started=started,
        )


def _prepare(
    submission: Submission, limits: PictureLimits, descriptors: Sequence[str]
) -> tuple[PreparedPicture, Mapping[str, Described]]:
    """Decode the picture once, for the models and for the comparison with known questions."""
    picture = decode_picture(submission.image, limits, media_type=submission.media_type, filename=submission.filename)
    return PreparedPicture.of(picture), _describe(picture.pixels, submission, descriptors)


def _describe(pixels: Image.Image, submission: Submission, descriptors: Sequence[str]) -> Mapping[str, Described]:
    ask = submission.ask
    return {name: get_descriptor(name).describe(pixels, ask.question, ask.options) for name in descriptors}
