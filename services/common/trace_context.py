"""A request's id and W3C trace context: read from its headers, and sent on with what is asked of other services."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

REQUEST_ID_HEADER = "X-Request-Id"
TRACEPARENT_HEADER = "traceparent"
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,128}$")
_TRACEPARENT = re.compile(r"^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$")
_outgoing: ContextVar[Mapping[str, str] | None] = ContextVar("outgoing_trace_headers", default=None)


def begin_trace(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Take the current request's id and trace context over from its headers, or make new ones.

    Args:
        headers: Names and values as ASGI has them.

    Returns:
        The request's id, and the trace context of what is asked on its behalf.
    """
    given = {name: value.decode("latin-1") for name, value in headers}
    request_id = given.get(REQUEST_ID_HEADER.lower().encode(), "")
    request_id = request_id if _REQUEST_ID.match(request_id) else uuid.uuid4().hex
    parent = _TRACEPARENT.match(given.get(TRACEPARENT_HEADER.encode(), ""))
    trace_id, flags = (parent[1], parent[3]) if parent else (secrets.token_hex(16), "00")
    traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"
    _outgoing.set({REQUEST_ID_HEADER: request_id, TRACEPARENT_HEADER: traceparent})
    return request_id, traceparent


def trace_headers() -> Mapping[str, str]:
    """Headers that carry the current request's id and trace context to the next service."""
    return _outgoing.get() or {}
