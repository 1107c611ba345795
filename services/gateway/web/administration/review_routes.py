"""Reviews one by one, for administrators: who said what, and strikes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response

from services.common.auth import Right, requires
from services.common.http.openapi import json_body, problems
from services.common.http.problems import Problem
from services.gateway.intake.json_body import check_fields, read_object
from services.gateway.monitoring.administration import headers_of
from services.gateway.reviews.errors import ReplacedAnswerError, UnknownReviewError
from services.gateway.reviews.review_page import render_reviews
from services.gateway.reviews.schemas import ReviewPage, StrikeRequest
from services.gateway.reviews.store import ReviewStore
from services.gateway.web.dependencies import TheGateway
from services.gateway.web.openapi import RECORD_PROBLEMS
from services.gateway.web.record_access import records_of, told_as_problems
from services.gateway.wiring import Gateway

_MAX_BODY = 40_000
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_MOST = 500

router = APIRouter(tags=["records"], dependencies=[requires(Right.ADMIN)])

_Before = Annotated[
    int | None, Query(ge=1, le=2**63 - 1, description="`next_before` of the page before: only older ones.")
]
_Limit = Annotated[int, Query(ge=1, le=_MOST, description="Most reviews of a page.")]
_By = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]+$", description="Said by this person or system.")]


@contextmanager
def _told(gateway: Gateway) -> Iterator[ReviewStore]:
    """Hold the reviews, and turn errors about them into problem documents."""
    with told_as_problems(gateway):
        try:
            yield ReviewStore(records_of(gateway).store)
        except UnknownReviewError:
            raise Problem(404, "unknown-review", "One of these reviews does not exist; nothing was changed.") from None
        except ReplacedAnswerError:
            told = "The question of one of these reviews was answered again since it was struck; nothing was changed."
            raise Problem(409, "answer-replaced", told) from None


@router.get("/v1/reviews", summary="List reviews (administrators)", responses=RECORD_PROBLEMS)
async def list_reviews(
    response: Response, gateway: TheGateway, before: _Before = None, limit: _Limit = 100, who: _By = None
) -> ReviewPage:
    """List single reviews, the newest first, with who gave them and whether they were struck."""
    response.headers.update(_PRIVATE)
    with _told(gateway) as reviews:
        return ReviewPage.of(await reviews.newest(limit, before=before, who=who), limit)


@router.get("/reviews", include_in_schema=False)
async def show_reviews(gateway: TheGateway, before: _Before = None, who: _By = None) -> Response:
    """Show the same to people."""
    with _told(gateway) as reviews:
        page = ReviewPage.of(await reviews.newest(100, before=before, who=who), 100)
    text = await anyio.to_thread.run_sync(render_reviews, page)
    return Response(text, media_type="text/html; charset=utf-8", headers={**_PRIVATE, **headers_of(administers=True)})


_CHANGES = {**RECORD_PROBLEMS, **problems({404: "One of the reviews does not exist; nothing was changed."})}
_RESTORES = {**_CHANGES, **problems({409: "One is of an answer that was replaced since; nothing was changed."})}


@router.post(
    "/v1/reviews/strike",
    summary="Take reviews out of the count (administrators)",
    status_code=204,
    openapi_extra=json_body(StrikeRequest),
    responses=_CHANGES,
)
async def strike(request: Request, gateway: TheGateway) -> Response:
    """Strike reviews: monitoring begins anew without them, and refits leave them out. They stay in the records."""
    return await _change(request, gateway, restores=False)


@router.post(
    "/v1/reviews/restore",
    summary="Put struck reviews back into the count (administrators)",
    status_code=204,
    openapi_extra=json_body(StrikeRequest),
    responses=_RESTORES,
)
async def restore(request: Request, gateway: TheGateway) -> Response:
    """Put struck reviews back; monitoring begins anew with them."""
    return await _change(request, gateway, restores=True)


async def _change(request: Request, gateway: Gateway, *, restores: bool) -> Response:
    must = "must be an object with who, reviews (their numbers), and a note where there is something to say"
    fields = await read_object(request, must, max_bytes=_MAX_BODY, timeout_s=gateway.settings.upload_deadline_s)
    word = check_fields(StrikeRequest, fields)
    with _told(gateway) as reviews:
        await reviews.strike(word.reviews, word.who, word.note, restores=restores)
    await gateway.monitor.look()
    return Response(status_code=204)
