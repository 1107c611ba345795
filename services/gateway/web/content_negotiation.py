"""The choice among forms of a reply by a request's Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message

JSON = "application/json"
_HTML = ("text/html", "application/xhtml+xml")
_LEAST_WEIGHT, _LARGEST_WEIGHT = 0.0, 1.0


def prefers_html(accept: str) -> bool:
    """Choose between a page and JSON.

    Args:
        accept: The header; empty where there is none.

    Returns:
        Whether HTML is accepted by name and at least as much as JSON. Browsers name it; `curl` and most libraries
        accept anything, and get JSON.
    """
    weights = _weights(accept)
    wanted = max(weights.get(name, 0.0) for name in _HTML)
    json = weights.get(JSON, weights.get("application/*", 0.0))
    return wanted > 0 and wanted >= json


def ranked(accept: str, offered: Sequence[str]) -> list[str]:
    """Rank the forms of a reply by a client's wishes.

    Args:
        accept: The header; empty where there is none, which accepts anything.
        offered: Media types, some with a parameter that sets them apart, the one for everybody first.

    Returns:
        Those that are accepted, the one that is wanted most first. A form that is named goes before one that is
        accepted among others, and a special one before the first where both are named: whoever accepts anything gets
        the first. A parameter of the header that an offer has as well must be equal; others are of no account.

    Example:
        >>> ranked("application/fhir+json, */*;q=0.1", ["application/json", "application/fhir+json; fhirVersion=4.3"])
        ['application/fhir+json; fhirVersion=4.3', 'application/json']
        >>> ranked("text/html", ["application/json"])
        []
    """
    if not accept.strip():
        return list(offered)
    wishes = [_read(part) for part in accept.split(",") if part.strip()]
    found = []
    for place, each in enumerate(offered):
        fitting = [(wish.precision(_read(each)), wish.weight) for wish in wishes if wish.takes(_read(each))]
        if not fitting:
            continue
        precision, weight = max(fitting)
        if weight > 0:
            is_named = precision >= _NAMED
            found.append((-weight, not is_named, place == 0 if is_named else place, place, each))
    return [each for *_, each in sorted(found)]


_ANY, _SOME, _NAMED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _MediaRange:
    """A media range of the header, or a media type that is offered: name, parameters but the weight, and weight."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    weight: float

    def takes(self, offer: _MediaRange) -> bool:
        """Whether it includes a media type."""
        if self.precision(offer) < 0:
            return False
        wanted = dict(self.parameters)
        return all(wanted.get(name, value) == value for name, value in offer.parameters)

    def precision(self, offer: _MediaRange) -> int:
        """How exactly it names a media type; less than 0 where it does not. The most exact one counts."""
        if self.name == offer.name:
            return _NAMED + len(dict(self.parameters).keys() & dict(offer.parameters).keys())
        if self.name == f"{offer.name.partition('/')[0]}/*":
            return _SOME
        return _ANY if self.name == "*/*" else -1


def _read(text: str) -> _MediaRange:
    message = Message()
    message["Content-Type"] = text.strip()
    name, *parameters = message.get_params([("", "")])
    given = {key.lower(): value for key, value in parameters}
    try:
        weight = min(max(float(given.pop("q", "1")), _LEAST_WEIGHT), _LARGEST_WEIGHT)
    except ValueError:
        weight = 0.0
    return _MediaRange(name[0].lower(), tuple(sorted(given.items())), weight)


def _weights(accept: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in accept.split(","):
        found = _read(part)
        weights[found.name] = max(weights.get(found.name, 0.0), found.weight)
    return weights
