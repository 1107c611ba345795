"""Requests of commands to a running service: one client, one reading of replies, one set of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from trustvqa.cli.api_key import key_headers, refusal
from trustvqa.cli.errors import CommandError, fail

_CONNECT_S = 2.0


@contextmanager
def asking(url: str, what: str, *, timeout_s: float = 30.0) -> Iterator[httpx.Client]:
    """Give a client for a service; end the command with a message where that is away, refuses or is another program.

    Args:
        url: The service's address.
        what: What it is, for messages: "a gateway".
        timeout_s: Longest wait for a reply. A connection is waited for no longer than two seconds.
    """
    try:
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))
        with httpx.Client(base_url=url, headers=key_headers(), timeout=timeout) as client:
            yield client
    except CommandError as error:
        said = str(error)
    except httpx.ReadTimeout:
        said = f"no reply from {url} within {timeout_s:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"{url} cannot be reached ({error}): is it running? `make up` starts it"
    except (KeyError, TypeError, ValueError):
        said = f"{url} does not speak as {what} does"
    else:
        return
    fail(said)


def read_reply(response: httpx.Response) -> Mapping[str, Any]:
    """Read a reply's object.

    Raises:
        CommandError: If the service refused; the message is its own.
        ValueError: If it is no JSON.
        TypeError: If it is no object.
    """
    body = response.json()
    if not isinstance(body, dict):
        raise TypeError(type(body))
    if not response.is_success:
        raise CommandError(refusal(response.status_code, body) or str(body.get("detail") or body.get("title") or body))
    return body
