"""The first stage: a request's body becomes a query, within bounds of size, time and number."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import TypeAdapter
from starlette.requests import ClientDisconnect, Request

from prompt4trust.pictures import PictureLimits, PreparedPicture, begins_as_picture
from prompt4trust.shift import Described
from services.common.auth.authenticator import key_of
from services.common.auth.client import client_of
from services.common.http.body import read_body
from services.common.http.problems import request_id_of
from services.common.pictures.pool import PicturePool
from services.gateway.intake.client_wait import longest_wait_s
from services.gateway.intake.connection import while_connected
from services.gateway.intake.idempotency import answer_id_of
from services.gateway.intake.later import Later
from services.gateway.intake.picture_task import arguments, described_from
from services.gateway.intake.query import LineOrigin, Query
from services.gateway.intake.submission import Submission, SubmissionReader, read_submission
from services.gateway.intake.uploads import Uploads
from services.gateway.schemas import Ask

_PREPARED: Final = TypeAdapter(PreparedPicture)
_SMALL: Final = 1_000_000  # bytes of a body


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
        uploads: Bounds the small bodies and their undecoded pictures that are held at once.
        large_uploads: Bounds the large ones.
        pictures: Decodes pictures, by `prepare_and_describe`.
        clock: Monotonic seconds.
    """

    methods: Sequence[str]
    limits: PictureLimits
    max_image_bytes: int
    max_body_bytes: int
    upload_deadline_s: float
    deadline_s: float
    uploads: Uploads
    large_uploads: Uploads
    pictures: PicturePool
    clock: Callable[[], float] = time.perf_counter

    async def read(
        self,
        request: Request,
        descriptors: Sequence[str],
        later: Later,
        understood: Callable[[Ask], None],
        read: SubmissionReader = read_submission,
    ) -> Query:
        """Read a request.

        Args:
            request: The request.
            descriptors: Ids of the descriptors by which its question is to be described.
            later: Ends with the request; the question is described in it.
            understood: Told of the checked question while its picture, which at least begins as one does, is decoded.
            read: Reads the body.

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
        answer_id = answer_id_of(request.headers, "" if key is None else key.id)
        # A client's file takes memory from its first byte until it has become a small picture: one bound for both.
        client, within_s = client_of(request.scope), longest_wait_s(request.headers)
        uploads = self.uploads if self.is_small(request) else self.large_uploads
        async with uploads.place(client) as upload:
            body = await upload.receive(
                read_body(request.scope, request.receive, self.max_body_bytes, self.upload_deadline_s)
            )
            if body is None:
                raise ClientDisconnect
            started = self.clock()
            async with asyncio.timeout(min(self.deadline_s, within_s)):
                submission = await read(request.headers, body, self.max_image_bytes, self.methods)
                del body
                if begins_as_picture(submission.image):
                    understood(submission.ask)
                work = partial(self._prepare, submission, client, descriptors, later)
                picture, described = await while_connected(request.receive, work)
        return Query(
            ask=submission.ask,
            picture=picture,
            described=described,
            id=answer_id or str(uuid.uuid4()),
            is_repeatable=answer_id is not None,
            request_id=request_id_of(request),
            started=started,
            client=client,
            within_s=within_s,
        )

    @staticmethod
    def is_small(request: Request) -> bool:
        """Whether a request states that its body is a small one."""
        stated = request.headers.get("content-length", "")
        return stated.isdecimal() and int(stated) <= _SMALL

    async def take(self, submission: Submission, line: LineOrigin, descriptors: Sequence[str], later: Later) -> Query:
        """Take in a line of a batch that has been read.

        Args:
            submission: What it asks.
            line: Where it comes from.
            descriptors: Ids of the descriptors by which its question is to be described.
            later: Ends with the line; the question is described in it.

        Raises:
            PictureError: If the picture is not taken.
        """
        started = self.clock()
        picture, described = await self._prepare(submission, line.client, descriptors, later)
        return Query(
            ask=submission.ask,
            picture=picture,
            described=described,
            id=line.answer_id or str(uuid.uuid4()),
            is_repeatable=line.answer_id is not None,
            request_id=line.request_id,
            started=started,
            client=line.client,
            keeps_reply=line.answer_id is not None,
        )

    async def _prepare(
        self, submission: Submission, client: str, descriptors: Sequence[str], later: Later
    ) -> tuple[PreparedPicture, Awaitable[Mapping[str, Described]]]:
        asked = _asked_of_workers(submission, self.limits, descriptors)
        found, file, rest = await self.pictures.begin(submission.image, asked, client)
        return prepared_picture(found, file), later.begin(_described(rest))


def _asked_of_workers(submission: Submission, limits: PictureLimits, descriptors: Sequence[str]) -> Mapping[str, Any]:
    ask = submission.ask
    return arguments(
        limits,
        submission.media_type,
        submission.filename,
        ask.question,
        ask.options,
        descriptors if ask.options else (),
    )


async def _described(rest: asyncio.Task[Any] | None) -> Mapping[str, Described]:
    # A worker that describes is done in no time; to give up on it would be to kill it.
    found = {} if rest is None else await asyncio.shield(rest)
    return {name: described_from(each) for name, each in found.items()}


def prepared_picture(found: Mapping[str, Any], file: bytes) -> PreparedPicture:
    """Make the prepared picture of `prepare_and_describe`'s result, checked: a stranger's file had a hand in it."""
    return _PREPARED.validate_python({**found, "file": file})
