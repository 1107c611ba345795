"""Bounds on request bodies: how large, and how long a client may take to send one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.http.problems import Problem, request_id_of_scope

MAX_JSON_VALUES: Final = 50_000
"""Most values, about, that a JSON body may hold; more is no question."""


def check_json_values(body: bytes | str) -> None:
    """Check that a JSON body is not made of very many values, before one object is built of it.

    Megabytes of small objects take seconds and hold the interpreter, whichever thread reads them; a picture's base64 is
    one value, however large. Commas in texts count, too: the bound leaves room for them.

    Raises:
        Problem: 413 if there are more than `MAX_JSON_VALUES`.

    Example:
        >>> check_json_values(b'{"image": "iVBO...", "options": ["A", "B"]}')
        >>> check_json_values(b"[" * 60_000)
        Traceback (most recent call last):
        ...
        services.common.http.problems.Problem: The body's JSON may hold about 50000 values.
    """
    if isinstance(body, str):
        values = sum(map(body.count, ",[{"))
    else:
        # In bytes to take a character out is a seventh of the time of counting it, where there are few.
        values = sum(len(body) - len(body.replace(mark, b"", MAX_JSON_VALUES + 1)) for mark in (b",", b"[", b"{"))
    if values > MAX_JSON_VALUES:
        raise Problem(413, "too-many-values", f"The body's JSON may hold about {MAX_JSON_VALUES} values.")


class BoundedBody:
    """ASGI middleware: read the body, which is JSON, before the application runs, within a size and a time.

    Frameworks wait for a body without a limit of either kind, so that a few clients that send a byte a second, or
    gigabytes, would hold a service. Every service here needs the whole body before it can begin anyway.

    Args:
        app: The wrapped application.
        max_bytes: Largest body; a larger one is answered 413, before it is read where its length is stated.
        timeout_s: Seconds within which the body must have come; afterwards the answer is 408.
        max_held_bytes: Most bytes that the bodies of all requests may take at once; beyond that the answer is 503.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, timeout_s: float, max_held_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other ASGI scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._share() as claim:
            await self._answer(scope, receive, send, claim)

    @contextmanager
    def _share(self) -> Iterator[Callable[[int], None]]:
        """Hold a request's share of the memory for bodies for the length of a block; it grows by what is claimed."""
        held = 0

        def claim(size: int) -> None:
            nonlocal held
            if self._held_bytes + size > self._max_held_bytes:
                raise Problem(503, "busy", "Too many large bodies are being received.", retry_after=1)
            held += size
            self._held_bytes += size

        try:
            yield claim
        finally:
            self._held_bytes -= held

    async def _answer(self, scope: Scope, receive: Receive, send: Send, claim: Callable[[int], None]) -> None:
        try:
            body = await read_body(scope, receive, self._max_bytes, self._timeout_s, claim)
            if body is not None:
                check_json_values(body)
        except Problem as problem:
            response = problem.response(request_id_of_scope(scope))
            # The rest of the body is still on its way: the connection is of no further use.
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        if body is None:
            return  # the client left; there is nobody to answer
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)


async def read_body(
    scope: Scope, receive: Receive, max_bytes: int, timeout_s: float, claim: Callable[[int], None] = lambda _: None
) -> bytes | None:
    """Read a request's body within a size and a time.

    Args:
        scope: The request's ASGI scope.
        receive: Its channel, nothing read yet.
        max_bytes: Largest body; a larger one is refused before it is read where its length is stated.
        timeout_s: Seconds within which the body must have come.
        claim: Told of each piece's size; may raise a Problem.

    Returns:
        The body, or None if the client left.

    Raises:
        Problem: 413 if it is too large, 408 if it is too slow.
    """
    too_large = Problem(413, "body-too-large", f"The request's body may have at most {max_bytes} bytes.")
    stated = Headers(scope=scope).get("content-length", "")
    if stated.isdecimal() and int(stated) > max_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > max_bytes:
                    raise too_large
                claim(len(chunks[-1]))
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise Problem(
            408, "request-timeout", f"The request's body did not arrive within {timeout_s:g} seconds."
        ) from None
