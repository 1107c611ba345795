"""The API key that commands show to services."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from trustvqa.cli.errors import CommandError
from trustvqa.client.api_key import FILE_VARIABLE, VARIABLE, key_from_environment
from trustvqa.client.errors import ClientError, ProblemError, RefusedKeyError, problem_error

HINT = f"name a key in {VARIABLE}, or a file with one in {FILE_VARIABLE}"


def read_key(environment: Mapping[str, str] = os.environ) -> str | None:
    """Read the key that the environment names.

    It is no option: what stands on a command line can be read by everybody on the machine.

    Returns:
        The key's text, or None where there is none.

    Raises:
        CommandError: If the file with it cannot be read or is empty, or what is there is no key.
    """
    try:
        return key_from_environment(environment)
    except ClientError as error:
        raise CommandError(str(error)) from error


def key_headers() -> dict[str, str]:
    """Make the header that shows the key; none where there is no key.

    Raises:
        CommandError: See `read_key`.
    """
    # Here: it is of no use to who asks one question, and brings pydantic.
    from services.common.clients.bearer import bearer

    return bearer(read_key())


def refusal(status: int, body: Any) -> str | None:
    """Explain that a service wants a key, or another one; None for any other reply.

    Args:
        status: The reply's status.
        body: Its JSON.
    """
    if not isinstance(body, dict):
        return None
    return key_refusal(problem_error(status, body))


def key_refusal(error: ProblemError) -> str | None:
    """Explain that a service wants a key, or another one; None for any other problem."""
    if not isinstance(error, RefusedKeyError):
        return None
    if error.kind == "administration-closed":
        return error.detail
    needed = f"it takes a key with the scope {error.scope}" if error.scope else "it takes an API key"
    return f"{error.detail} ({needed}: {HINT})"
