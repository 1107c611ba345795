"""POST /v1/picture: a client's picture as the models would see it."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from prompt4trust.pictures import DicomChoice
from prompt4trust.pictures.dicom.choice import MAX_FRAME, MAX_WINDOW_NAME, MAX_WINDOW_VALUE
from services.common.auth import Right, requires
from services.common.http.openapi import problems
from services.gateway.answering.reply import picture_seen
from services.gateway.intake.json_body import refuse
from services.gateway.intake.picture_view import GreyValues, read_view
from services.gateway.picture_schemas import PictureSeen
from services.gateway.web.dependencies import TheGateway
from services.gateway.web.refusals import REFUSED, problem_of

_CLIENT_LEFT = 499
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

router = APIRouter(dependencies=[requires(Right.ASK)], tags=["answering"])


class PictureViewReply(BaseModel):
    """A picture as the models would see it. Nothing of it is kept.

    Attributes:
        picture: Its size, and how it was made of the file.
        sha256: SHA-256 of the prepared file.
        image: The prepared file, PNG or JPEG, as a data: URL.
        grey: The file's own grey values, where they were asked for and are deeper than eight bits; else null.
    """

    picture: PictureSeen
    sha256: str
    image: str
    grey: GreyValues | None


def _window(name: str | None, center: float | None, width: float | None) -> str | tuple[float, float] | None:
    if center is None and width is None:
        return name
    if center is None or width is None or name is not None:
        refuse("window", "is either a name, or centre and width together")
    return center, width


@router.post(
    "/v1/picture",
    summary="See a picture as the models would",
    response_model=PictureViewReply,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
    responses=problems(
        {
            408: "The body did not arrive in time.",
            413: "The file or its number of pixels is too large.",
            415: "Not an image of a format that is read.",
            422: "The image cannot be used.",
            429: "Most of what this client sent lately was refused, and others ask: see `Retry-After`.",
            503: "Busy: `Retry-After` says when to come back.",
            504: "It took too long.",
        }
    ),
)
async def see(
    request: Request,
    gateway: TheGateway,
    grey: Annotated[
        bool,
        Query(
            description="Give the values of deep grey, too, for a viewer's window.",
            json_schema_extra={"enum": [False, True]},
        ),
    ] = False,
    frame: Annotated[int | None, Query(ge=1, le=MAX_FRAME, description="Frame of a DICOM object, from 1.")] = None,
    window: Annotated[
        str | None,
        Query(min_length=1, max_length=MAX_WINDOW_NAME, description="Name of one of a DICOM object's own windows."),
    ] = None,
    center: Annotated[
        float | None,
        Query(
            ge=-MAX_WINDOW_VALUE,
            le=MAX_WINDOW_VALUE,
            description="Centre of a window in a DICOM object's own units; together with `width`, in place of a name.",
        ),
    ] = None,
    width: Annotated[
        float | None, Query(gt=0, le=MAX_WINDOW_VALUE, description="Width of that window; together with `center`.")
    ] = None,
) -> Response:
    """Prepare the picture that is the body, as for a question, and give it back; no model is asked."""
    choice = DicomChoice(frame, _window(window, center, width))
    try:
        view = await read_view(gateway.pipeline.intake, request, grey=grey, choice=choice)
    except ClientDisconnect:
        return Response(status_code=_CLIENT_LEFT)
    except REFUSED as error:
        raise problem_of(error, gateway.settings) from None

    def written() -> str:
        picture = view.picture
        return PictureViewReply(
            picture=picture_seen(picture), sha256=picture.sha256, image=picture.data_url, grey=view.grey
        ).model_dump_json()

    # Megabytes of base64: not on the event loop.
    content = await anyio.to_thread.run_sync(written)
    return Response(content, media_type="application/json", headers=_FRESH)
