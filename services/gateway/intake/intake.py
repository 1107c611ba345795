"""The first stage: a request's body becomes a query, within bounds of size, time and number."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import anyio.to_thread
from pydantic import TypeAdapter
from starlette.requests import ClientDisconnect, Request

from prompt4trust.pictures import PictureLimits, PreparedPicture, begins_as_picture
from prompt4trust.shift import Described, get_descriptor
from services.common.auth.caller import caller_of
from services.common.auth.client import client_of
from services.common.http.body import read_body
from services.common.http.problems import request_id_of
from services.common.pictures.dicom_groups import DicomGroups
from services.common.pictures.kept_pictures import KeptPictures, Prepared, fingerprint
from services.common.pictures.pool import PicturePool
from services.gateway.archives.fetching import Archives, other_object
from services.gateway.intake.client_wait import longest_wait_s
from services.gateway.intake.connection import while_connected
from services.gateway.intake.idempotency import answer_id_of
from services.gateway.intake.json_body import refuse
from services.gateway.intake.later import Later
from services.gateway.intake.picture_task import arguments, described_from
from services.gateway.intake.query import LineOrigin, Query
from services.gateway.intake.submission import Submission, SubmissionReader, read_submission
from services.gateway.intake.uploads import Uploads
from services.gateway.question_schemas import Ask

_PREPARED: Final = TypeAdapter(PreparedPicture)
_DICOM: Final = "application/dicom"
_SMALL: Final = 1_000_000  # bytes of a body
_QUICK_TEXT: Final = 1_500
"""Characters of a question and its options that are described in a few tenths of a millisecond."""


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
        archives: Fetches objects that requests name by their address; None where there are none.
        kept: Holds prepared pictures for the next question about them; None where none are kept.
        dicom_groups: Which of a DICOM object's own statements are groups of its question.
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
    archives: Archives | None = None
    kept: KeptPictures | None = None
    dicom_groups: DicomGroups = DicomGroups()  # noqa: RUF009 - frozen
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
        caller = caller_of(request.scope)
        answer_id = answer_id_of(request.headers, "" if caller is None else caller.id)
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
                work = partial(self._prepare, submission, client, client, descriptors, later)
                picture, described = await while_connected(request.receive, work)
        return Query(
            ask=self._with_own_groups(submission.ask, picture),
            picture=picture,
            described=described,
            id=answer_id or str(uuid.uuid4()),
            is_repeatable=answer_id is not None,
            request_id=request_id_of(request),
            started=started,
            client=client,
            within_s=within_s,
            asker=None if caller is None else caller.id,
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
        owner = line.asker or line.client
        picture, described = await self._prepare(submission, line.client, owner, descriptors, later)
        return Query(
            ask=self._with_own_groups(submission.ask, picture),
            picture=picture,
            described=described,
            id=line.answer_id or str(uuid.uuid4()),
            is_repeatable=line.answer_id is not None,
            request_id=line.request_id,
            started=started,
            client=line.client,
            keeps_reply=line.answer_id is not None,
            asker=line.asker,
        )

    def _with_own_groups(self, ask: Ask, picture: PreparedPicture) -> Ask:
        groups = self.dicom_groups.applied(ask.groups, picture)
        return ask if groups == ask.groups else ask.model_copy(update={"groups": groups})

    async def _prepare(
        self, submission: Submission, client: str, owner: str, descriptors: Sequence[str], later: Later
    ) -> tuple[PreparedPicture, Awaitable[Mapping[str, Described]]]:
        if submission.address is None:
            return await self._described(submission, client, owner, descriptors, later)
        if self.archives is None:
            refuse("image", "is an address, and this gateway fetches no pictures: send the picture itself in base64")
        async with self.archives.object(submission.address) as (image, uid):
            fetched = replace(submission, image=image, media_type=_DICOM, address=None)
            picture, described = await self._described(fetched, client, owner, descriptors, later)
        if picture.origin.dicom is None or picture.origin.dicom.sop_instance_uid != uid:
            raise other_object()
        return picture, described

    async def _described(
        self, submission: Submission, client: str, owner: str, descriptors: Sequence[str], later: Later
    ) -> tuple[PreparedPicture, Awaitable[Mapping[str, Described]]]:
        ask = submission.ask
        asked = arguments(self.limits, submission.media_type, submission.filename, descriptors, ask.choice)
        work = partial(self._decoded, submission.image, asked, client)
        if self.kept is None:
            prepared = await work()
        else:
            prepared = await self.kept.get(owner, await fingerprint(submission.image, asked), work, client=client)
        return prepared.picture, later.begin(_described(prepared, ask))

    async def _decoded(self, image: bytes, asked: Mapping[str, Any], client: str) -> Prepared:
        found, file, rest = await self.pictures.begin(image, asked, client)
        return Prepared(prepared_picture(found, file), rest)


async def _described(prepared: Prepared, ask: Ask) -> Mapping[str, Described]:
    # A worker that describes is done in no time; to give up on it would be to kill it, and others may wait for it.
    found = {} if prepared.seen is None else await asyncio.shield(prepared.seen)
    if not found:
        return {}

    def describe() -> Mapping[str, Described]:
        return {
            name: described_from(seen).joined(get_descriptor(name).describe_words(ask.question, ask.options))
            for name, seen in found.items()
        }

    if sum(map(len, (ask.question, *ask.options.values()))) <= _QUICK_TEXT:
        return describe()
    return await anyio.to_thread.run_sync(describe)


def prepared_picture(found: Mapping[str, Any], file: bytes) -> PreparedPicture:
    """Make the prepared picture of `prepare_and_describe`'s result, checked: a stranger's file had a hand in it."""
    return _PREPARED.validate_python({**found, "file": file})
