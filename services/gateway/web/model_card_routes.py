"""The model card of the live pair, for programs and for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from services.common.auth import Right, requires
from services.gateway.model_card.card import make_card
from services.gateway.model_card.page import render_card
from services.gateway.model_card.schemas import ModelCard
from services.gateway.monitoring.administration import headers_of
from services.gateway.web.content_negotiation import prefers_html
from services.gateway.web.dependencies import TheGateway

_FRESH = {"Cache-Control": "no-cache", "Vary": "Accept", "X-Content-Type-Options": "nosniff"}
_HTML = {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>"}}
_PAGE: dict[int | str, dict[str, Any]] = {200: {"content": _HTML, "description": "The card."}}

router = APIRouter(tags=["monitoring"], dependencies=[requires(Right.ASK)])


@router.get("/v1/model-card", summary="The live pair's model card", response_model=ModelCard, responses=_PAGE)
async def model_card(request: Request, response: Response, gateway: TheGateway) -> ModelCard | Response:
    """Make the card from registry and settings: uses, data, figures, limits, versions, and what is unknown.

    A browser, or whoever accepts HTML, gets the page.
    """
    card = await anyio.to_thread.run_sync(make_card, gateway.settings, datetime.now(UTC))
    if prefers_html(request.headers.get("accept", "")):
        return await _page(card)
    response.headers.update(_FRESH)
    return card


@router.get("/model-card", include_in_schema=False)
async def model_card_page(gateway: TheGateway) -> Response:
    """Show the card to people."""
    return await _page(await anyio.to_thread.run_sync(make_card, gateway.settings, datetime.now(UTC)))


async def _page(card: ModelCard) -> Response:
    text = await anyio.to_thread.run_sync(render_card, card)
    return Response(text, media_type="text/html; charset=utf-8", headers={**_FRESH, **headers_of(administers=False)})
