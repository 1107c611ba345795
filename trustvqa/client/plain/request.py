"""One question by Python's own HTTP client, for whoever asks only one: to import another takes longer than to ask.

It tries once, over a plain connection. What it cannot do, and what fails, is left to the client.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import SplitResult, urlsplit

from trustvqa.client.api_key import is_writable
from trustvqa.client.errors import DeadlineError, GatewayUnreachableError, NotAGatewayError, problem_error
from trustvqa.client.headers import bearer_header, idempotency_header
from trustvqa.client.pictures import picture_file
from trustvqa.client.plain.proxies import is_past_proxies
from trustvqa.client.plain.timed_socket import connected
from trustvqa.client.questions import VqaQuestion
from trustvqa.client.results import VqaResult

CONNECT_S: Final = 10.0
"""Longest time for a connection: a host that is not there need not take the time of an answer."""
MAX_REPLY: Final = 16_000_000
"""Most bytes of a reply."""
_BLOCK: Final = 65_536


class UnsentError(GatewayUnreachableError):
    """No connection was made, so that nothing can have been done."""


def is_plain(url: str) -> bool:
    """Whether a gateway can be asked over a plain connection: by http, and past no proxy.

    Example:
        >>> is_plain("https://trustvqa.example"), is_plain("http://no address:8080")
        (False, False)
    """
    if not is_writable(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_bare = parts.username is None and not parts.query and not parts.fragment and port != 0
    return parts.scheme == "http" and bool(parts.hostname) and is_bare and is_past_proxies(parts.hostname or "")


def ask_once(url: str, asked: VqaQuestion, *, api_key: str | None, idempotency_key: str, within_s: float) -> VqaResult:
    """Ask a gateway one question, once.

    All of it ends in time: finding the host, connecting, sending, and a reply that comes byte by byte.

    Args:
        url: The gateway's address, one that `is_plain`.
        asked: The question.
        api_key: The API key to show, or None.
        idempotency_key: 16 to 128 visible ASCII characters under which the question is the same one if it is asked
            again.
        within_s: Longest time, in seconds; the gateway is told, and gives up in time.

    Raises:
        UnusablePictureError: If the picture cannot be sent; nothing was asked.
        ClientError: If a text, or a key, cannot be; nothing was asked.
        ProblemError: If the gateway refused.
        DeadlineError, GatewayUnreachableError, NotAGatewayError: If there was no good reply.
    """
    file = picture_file(asked.picture)
    ends_at = time.monotonic() + within_s
    kind, body = _multipart(asked.form(), file)
    headers = {
        "Content-Type": kind,
        "Accept": "application/json",
        "Connection": "close",
        "Prefer": f"wait={max(1, math.ceil(within_s))}",
        **idempotency_header(idempotency_key),
        **bearer_header(api_key),
    }
    parts = urlsplit(url)
    connection, response = _connected(url, parts, ends_at), None
    try:
        connection.request("POST", f"{parts.path.rstrip('/')}/vqa", body, headers)
        response = connection.getresponse()
        said = _content(response)
    except TimeoutError:
        raise DeadlineError(f"no answer from {url} within {within_s:.3g} s") from None
    except http.client.IncompleteRead:
        raise GatewayUnreachableError("the reply broke off", url) from None
    except ValueError as error:
        # Not in its own words, which hold what was to be written, a key perhaps.
        raise GatewayUnreachableError(f"no request could be made: {type(error).__name__}", url) from None
    except (OSError, http.client.HTTPException) as error:
        raise GatewayUnreachableError(str(error) or type(error).__name__, url) from error
    finally:
        if response is not None:
            response.close()
        connection.close()
    return _result(response, said)


def _connected(url: str, parts: SplitResult, ends_at: float) -> http.client.HTTPConnection:
    assert parts.hostname is not None  # noqa: S101 - see is_plain
    connection = http.client.HTTPConnection(parts.hostname, parts.port or http.client.HTTP_PORT)
    try:
        connection.sock = connected(connection.host, connection.port, connect_s=CONNECT_S, ends_at=ends_at)
    except TimeoutError:
        raise UnsentError("no connection in time", url) from None
    except (OSError, UnicodeError) as error:
        raise UnsentError(str(error) or type(error).__name__, url) from error
    return connection


def _content(response: http.client.HTTPResponse) -> bytes:
    said = bytearray()
    # Some versions of Python close the response with its last byte, others when there is nothing more.
    while not response.isclosed() and response.length != 0:
        part = response.read1(_BLOCK)
        if not part:
            break
        said += part
        if len(said) > MAX_REPLY:
            raise NotAGatewayError(f"the reply has more than {MAX_REPLY} bytes")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(said)


def _result(response: http.client.HTTPResponse, said: bytes) -> VqaResult:
    try:
        told = json.loads(said)
    except (ValueError, RecursionError):
        told = None
        if response.status == HTTPStatus.OK:
            raise NotAGatewayError("the reply is no JSON: does a TrustVQA gateway answer at this address?") from None
    if response.status != HTTPStatus.OK:
        after = response.headers.get("Retry-After", "")
        raise problem_error(response.status, told, float(after) if after.isdecimal() else None)
    try:
        return VqaResult.from_reply(told)
    except (ValueError, TypeError, AttributeError):
        raise NotAGatewayError("the reply is not what a TrustVQA gateway says") from None


def _multipart(fields: Mapping[str, str | list[str]], file: bytes) -> tuple[str, bytes]:
    """Write a form (RFC 7578); return its type and its body."""
    boundary = os.urandom(24).hex()  # nobody can have put it into a text or a picture
    several = {name: [value] if isinstance(value, str) else value for name, value in fields.items()}
    written = [(name, text) for name, texts in several.items() for text in texts]
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in written
    )
    named = 'Content-Disposition: form-data; name="image"; filename="image"\r\nContent-Type: application/octet-stream'
    start = f"{head}--{boundary}\r\n{named}\r\n\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", b"".join((start, file, f"\r\n--{boundary}--\r\n".encode()))
