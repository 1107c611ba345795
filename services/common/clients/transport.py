"""JSON requests to other services, over pooled connections."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from itertools import chain, zip_longest
from typing import Any, Final

from prompt4trust.models import TransportError
from prompt4trust.pictures import DataUrl
from services.common.clients.errors import RefusedError
from services.common.clients.http_pool import HttpCallError, HttpPool
from services.common.clients.retries import RetrySettings, retried
from services.common.trace_context import trace_headers

_SAID_CHARS = 2000
_BROKEN: Final = 502
_ERRORS: Final = {str(status): status for status in range(400, 600)}
_ERRORS_IN_WORDS: Final = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "insufficient_quota": 429,
}
_RATE_LIMIT: Final = "rate_limit_"
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")  # or a whole one, which is left as it is
# Nobody can know it who writes a question, so that no text holds it.
_PICTURE: Final = f"picture {secrets.token_hex(16)}"


async def post_json(
    http: HttpPool, service: str, path: str, body: Mapping[str, Any], retry: RetrySettings
) -> dict[str, Any]:
    """Post JSON and read a JSON object.

    Args:
        http: Pool to send on.
        service: Name for errors: "policy" or "downstream".
        path: Path below the pool's base URL, without a leading slash.
        body: What to send.
        retry: Deadline and retries.

    Returns:
        The parsed reply.

    Raises:
        TransportError: If no usable reply came within the deadline.
    """
    return await retried(lambda: _post_once(http, service, path, body), service, retry)


def request_json(body: Mapping[str, Any]) -> bytes:
    r"""Write a body, its pictures put in as they are.

    `json` looks at each character of a text for what it must escape, and most characters of a body are a picture's.

    Args:
        body: What `json` takes, with any number of data: URLs in its objects and lists.

    Returns:
        What `json` would write without blanks.

    Example:
        >>> request_json({"image": DataUrl.of("image/png", b"\x89PNG"), "text": "Where?"})
        b'{"image":"data:image/png;base64,iVBORw==","text":"Where?"}'
    """
    pictures: list[DataUrl] = []
    around = json.dumps(_without_pictures(body, pictures), separators=(",", ":")).split(_PICTURE)
    return b"".join(part.encode() for part in chain(*zip_longest(around, pictures, fillvalue="")))


def _without_pictures(value: Any, pictures: list[DataUrl]) -> Any:
    if isinstance(value, DataUrl):
        pictures.append(value)
        return _PICTURE
    if isinstance(value, dict):
        return {name: _without_pictures(each, pictures) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_pictures(each, pictures) for each in value]
    return value


async def _post_once(http: HttpPool, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    content = request_json(body)
    try:
        response = await http.post(path, content, {"Content-Type": "application/json", **trace_headers()})
    except HttpCallError as error:
        raise TransportError(service, str(error), timed_out=error.timed_out) from error
    if response.status != 200:
        raise RefusedError(
            service,
            f"it replied with status {response.status}",
            status=response.status,
            retry_after=_seconds(response.headers.get("Retry-After")),
            said=response.text[:_SAID_CHARS],
        )
    try:
        parsed = response.json()
    except ValueError as error:
        raise TransportError(service, "its reply is not JSON", status=200) from error
    if not isinstance(parsed, dict):
        raise TransportError(service, "its reply is not a JSON object", status=200)
    if (wrong := parsed.get("error")) and not parsed.get("choices"):
        code = _status_of(wrong)
        raise RefusedError(
            service,
            f"it replied with status 200 and an error, which counts as {code}",
            status=code,
            retry_after=None,
            said=response.text[:_SAID_CHARS],
        )
    found: dict[str, Any] = _unicode(parsed) if _HALF_PAIR.search(response.body) else parsed
    return found


def _status_of(error: object) -> int:
    """Find the status of an error that came with status 200, as routers between many servers send theirs.

    A number counts before words, and a code, which is closer, before a type. One that tells none may pass as well as
    last: it is a broken server's.
    """
    if not isinstance(error, dict):
        return _BROKEN
    told = [error.get(name) for name in ("code", "status", "status_code", "type")]
    statuses = chain(map(_status_in_number, told), map(_status_in_word, told))
    return next((status for status in statuses if status is not None), _BROKEN)


def _status_in_number(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _ERRORS.get(str(value))


def _status_in_word(value: object) -> int | None:
    if not isinstance(value, str):
        return None
    word = value.lower()
    return 429 if word.startswith(_RATE_LIMIT) else _ERRORS_IN_WORDS.get(word)


def _unicode(value: Any) -> Any:
    """Replace halves of surrogate pairs: JSON may escape them, and no request, reply or file can hold them."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_unicode(name): _unicode(each) for name, each in value.items()}
    return [_unicode(each) for each in value] if isinstance(value, list) else value


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None  # the date form is not worth a clock comparison: the backoff decides
