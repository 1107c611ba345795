"""A client's look at its picture as the models would see it: read, prepared and forgotten; no model is asked."""

from __future__ import annotations

import base64
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.requests import ClientDisconnect, Request

from prompt4trust.pictures import DicomChoice, PreparedPicture
from services.common.auth.client import client_of
from services.common.http.body import read_body
from services.common.http.problems import Problem
from services.gateway.intake.connection import while_connected
from services.gateway.intake.intake import Intake, prepared_picture
from services.gateway.intake.view_task import view_arguments

_LARGEST: Final = 3.5e38
"""Beyond what files hold: their numbers are of 32 bits."""


class GreyFacts(BaseModel):
    """Values of deep grey, as a worker describes them; checked, since a stranger's file had a hand in it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    width: int = Field(ge=1)
    height: int = Field(ge=1)
    low: float = Field(ge=-_LARGEST, le=_LARGEST)
    high: float = Field(ge=-_LARGEST, le=_LARGEST)
    inverted: bool


class GreyValues(GreyFacts):
    """The grey values of a file deeper than eight bits, at the size that the models see.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        low: Value of the file that 0 stands for.
        high: Value of the file that 65 535 stands for.
        inverted: Whether large values are dark.
        values: Rows from the top, 16 bits a value, the lower byte first, in base64.
    """

    values: str


_FACTS: Final = TypeAdapter(GreyFacts | None)


class PictureView(BaseModel):
    """A prepared picture and, where they were asked for, the values of its deep grey."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    picture: PreparedPicture
    grey: GreyValues | None


async def read_view(intake: Intake, request: Request, *, grey: bool, choice: DicomChoice) -> PictureView:
    """Read a request whose body is a picture's file.

    Args:
        intake: Bounds, places and workers, the same as for questions.
        request: The request.
        grey: Whether the values of deep grey are wanted.
        choice: The part of a DICOM object that is wanted.

    Raises:
        Problem: If the body is too large or does not come.
        PictureError: If the picture is not taken.
        BusyError: If too many are being read.
        TimeoutError: If reading took too long.
        ClientDisconnect: If the client left.
    """
    client = client_of(request.scope)
    uploads = intake.uploads if intake.is_small(request) else intake.large_uploads
    async with uploads.place(client) as upload:
        body = await upload.receive(
            read_body(request.scope, request.receive, intake.max_image_bytes + 1, intake.upload_deadline_s)
        )
        if body is None:
            raise ClientDisconnect
        if len(body) > intake.max_image_bytes:
            raise Problem(413, "image-file-too-large", f"The image may have {intake.max_image_bytes / 1e6:g} MB.")
        asked = view_arguments(intake.limits, request.headers.get("content-type"), grey=grey, choice=choice)
        with anyio.fail_after(intake.deadline_s):
            work = partial(intake.pictures.run, body, asked, client)
            found, file = await while_connected(request.receive, work)
    facts = _FACTS.validate_python(found["grey"])
    picture, values = prepared_picture(found["picture"], file[: found["at"]]), file[found["at"] :]
    if facts is None:
        return PictureView(picture=picture, grey=None)
    if len(values) != 2 * facts.width * facts.height:
        raise ValueError("a worker's grey values do not have the size that it states")
    text = await anyio.to_thread.run_sync(lambda: base64.b64encode(values).decode("ascii"))
    return PictureView(picture=picture, grey=GreyValues(**facts.model_dump(), values=text))
