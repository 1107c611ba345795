"""POST /v1/picture: a client's picture as the models would see it."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from services.common.auth import Right, requires
from services.common.http.openapi import problems
from services.gateway.answering.reply import picture_seen
from services.gateway.intake.picture_view import GreyValues, read_view
from services.gateway.schemas import PictureSeen
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
) -> Response:
    """Prepare the picture that is the body, as for a question, and give it back; no model is asked."""
    try:
        view = await read_view(gateway.pipeline.intake, request, grey=grey)
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
