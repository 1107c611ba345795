"""Lines of a request's body, read as they come, within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from services.common.http.problems import Problem


@dataclass(frozen=True, slots=True)
class LineBounds:
    """Bounds on a stream of lines.

    Attributes:
        max_bytes: Longest line.
        line_s: Seconds within which a line must have come, from its first byte on.
        idle_s: Seconds that may pass from one line to the next.
    """

    max_bytes: int
    line_s: float
    idle_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a stream.

    Attributes:
        number: Its number, from 1.
        body: Its bytes; None where it has too many, which are skipped.
    """

    number: int
    body: bytes | None


async def read_lines(receive: Receive, bounds: LineBounds) -> AsyncGenerator[Line, None]:
    """Read the lines of a body; nothing is received while a line is not asked for, so that the sender has to wait.

    Time runs only while the sender is waited for: a stream may last for as long as its lines come. Empty lines are
    counted and left out.

    Args:
        receive: The request's ASGI channel, nothing read yet.
        bounds: What is taken.

    Raises:
        ClientDisconnect: If the client left.
        Problem: 408 if a line, or the next one, did not come in time.
    """
    loop = asyncio.get_running_loop()
    pending = bytearray()
    skipping, number, has_more = False, 0, True
    line_left_s = bounds.line_s
    while has_more:
        began = loop.time()
        message = await _receive(receive, line_left_s if pending or skipping else bounds.idle_s)
        line_left_s -= loop.time() - began if pending or skipping else 0.0
        has_more = message.get("more_body", False)
        pieces = message.get("body", b"").split(b"\n")
        for piece in pieces[:-1]:
            number += 1
            whole = None if skipping or len(pending) + len(piece) > bounds.max_bytes else bytes(pending + piece)
            pending.clear()
            skipping, line_left_s = False, bounds.line_s
            if whole is None or whole.strip():
                yield Line(number, whole)
        pending += b"" if skipping else pieces[-1]
        if len(pending) > bounds.max_bytes:
            skipping = True
            pending.clear()
    if skipping or pending.strip():
        yield Line(number + 1, None if skipping else bytes(pending))


async def _receive(receive: Receive, within_s: float) -> Message:
    try:
        async with asyncio.timeout(max(within_s, 0.0)):
            message = await receive()
    except TimeoutError:
        raise Problem(408, "request-timeout", "The next line did not come in time.") from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message
