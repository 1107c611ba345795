"""Parameters that routes have in common."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from services.gateway.wiring import Gateway


async def gateway_of(request: Request) -> Gateway:
    """Find the gateway that the application opened; not in a thread, as FastAPI calls what is no coroutine."""
    found: Gateway = request.app.state.gateway
    return found


TheGateway = Annotated[Gateway, Depends(gateway_of)]
