"""The choice among forms of a reply by a request's Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Collection

_HTML = ("text/html", "application/xhtml+xml")
_EVENTS = ("text/event-stream",)


def prefers_html(accept: str) -> bool:
    """Choose between a page and JSON.

    Args:
        accept: The header; empty where there is none.

    Returns:
        Whether HTML is accepted by name and at least as much as JSON. Browsers name it; `curl` and most libraries
        accept anything, and get JSON.
    """
    return _prefers(accept, _HTML)


def prefers_events(accept: str) -> bool:
    """Choose between server-sent events and JSON.

    Args:
        accept: The header; empty where there is none.

    Returns:
        Whether events are accepted by name and at least as much as JSON.

    >>> prefers_events("text/event-stream"), prefers_events("application/json, text/event-stream;q=0.5")
    (True, False)
    """
    return _prefers(accept, _EVENTS)


def _prefers(accept: str, names: Collection[str]) -> bool:
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        weights[name] = max(weights.get(name, 0.0), weight)
    wanted = max(weights.get(name, 0.0) for name in names)
    json = weights.get("application/json", weights.get("application/*", 0.0))
    return wanted > 0 and wanted >= json
