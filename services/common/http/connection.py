"""Bounds on connections: how many, how large a request's header may be, and how long a client may take to send it.

uvicorn bounds none of these with its fast parser. A body's bounds are elsewhere (`body`): they depend on the route.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.common.http.problems import Problem

MAX_HEADER_BYTES: Final = 64 * 1024
"""Largest header of a request, its first line included."""
HEADER_TIMEOUT_S: Final = 15.0
"""Seconds that a client may take from its first byte, or from connecting, to the end of a request's header."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with bounds on what a client may send before it is known what it wants.

    A header that is too large is answered 431, one that does not come 408, and one that is none 400, each as a problem
    document; the connection is then closed. Where there are as many connections as may be, the one that has kept the
    service waiting longest for a header makes room for a new one; if none does, the new one is answered 503.
    """

    max_connections = 512
    max_header_bytes = MAX_HEADER_BYTES
    header_timeout_s = HEADER_TIMEOUT_S

    _header_bytes = 0
    """Bytes of the header that is being read, as far as they have been parsed."""
    _unparsed_bytes = 0
    """Bytes since the last header ended, parsed or not: one endless line is parsed only at its end."""
    _deadline: asyncio.TimerHandle | None = None
    """Runs while a header is waited for."""
    _has_begun = False
    """Whether a part of a request's header has come, and its end has not."""
    _refusal: Problem | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections and not self._make_room():
            self._refuse(Problem(503, "too-many-connections", "Too many connections are open.", retry_after=1))
            return
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._await_header()  # the next request, or more of a body that nobody waits for
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._deadline is not None and self._unparsed_bytes > self.max_header_bytes:
            self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        """Begin with a request's header."""
        self._header_bytes = 0
        self._has_begun = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin with the request itself."""
        self._end_deadline()
        self._unparsed_bytes = 0
        self._has_begun = False
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, of which a part may have come together with the last one."""
        super().on_response_complete()
        if self._has_begun and self._deadline is None:
            self._await_header()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or one that was refused while it was parsed."""
        self._refuse(self._refusal or Problem(400, "malformed-request", f"{msg.rstrip('.')}."))

    def _unsupported_upgrade_warning(self) -> None:
        """Keep quiet: a request for another protocol is answered as if it had not asked, as HTTP allows."""

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self.max_header_bytes:
            self._refusal = self._too_large()
            raise httptools.HttpParserError("the header is too large")  # ends in send_400_response

    def _too_large(self) -> Problem:
        return Problem(
            431, "header-too-large", f"The request's header may have at most {self.max_header_bytes // 1024} KB."
        )

    def _await_header(self) -> None:
        self._unparsed_bytes = 0
        self._deadline = self.loop.call_later(self.header_timeout_s, self._give_up)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._has_begun:
            self._refuse(
                Problem(
                    408, "request-timeout", f"The request's header did not come within {self.header_timeout_s:g} s."
                )
            )
        else:
            self.transport.abort()

    def _make_room(self) -> bool:
        waiting = [
            each
            for each in self.connections
            if isinstance(each, BoundedProtocol) and each is not self and each._deadline is not None
        ]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda each: each._deadline.when() if each._deadline is not None else 0.0)
        oldest._end_deadline()
        oldest.transport.abort()
        return True

    def _refuse(self, problem: Problem) -> None:
        self._end_deadline()
        if self.transport.is_closing():
            return
        response = problem.response()
        fields = [*response.raw_headers, (b"connection", b"close")]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        status = HTTPStatus(problem.status)
        self.transport.write(f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + head + b"\r\n" + response.body)
        self.transport.close()


def bounded_protocol(max_connections: int) -> type[BoundedProtocol]:
    """Make the protocol for a server with its own bound on connections.

    Args:
        max_connections: Most that are open at once, at least 1.
    """
    return type("BoundedProtocol", (BoundedProtocol,), {"max_connections": max_connections})
