"""The choice between a page and JSON by a request's Accept header."""

from __future__ import annotations

_HTML = ("text/html", "application/xhtml+xml")


def prefers_html(accept: str) -> bool:
    """Read an Accept header (RFC 9110, section 12.5.1).

    Args:
        accept: The header; empty where there is none.

    Returns:
        Whether HTML is accepted by name and at least as much as JSON. Browsers name it; `curl` and most libraries
        accept anything, and get JSON.
    """
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
    html = max(weights.get(name, 0.0) for name in _HTML)
    json = weights.get("application/json", weights.get("application/*", 0.0))
    return html > 0 and html >= json
