"""The API key that commands show to services."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.common.clients.bearer import bearer
from trustvqa.cli.errors import CommandError

VARIABLE, FILE_VARIABLE = "TRUSTVQA_API_KEY", "TRUSTVQA_API_KEY_FILE"
HINT = f"name a key in {VARIABLE}, or a file with one in {FILE_VARIABLE}"


def read_key(environment: Mapping[str, str] = os.environ) -> str | None:
    """Read the key that the environment names.

    It is no option: what stands on a command line can be read by everybody on the machine.

    Returns:
        The key's text, or None where there is none.

    Raises:
        CommandError: If the file with it cannot be read or is empty.
    """
    if text := environment.get(VARIABLE, "").strip():
        return text
    named = environment.get(FILE_VARIABLE, "")
    if not named:
        return None
    try:
        text = Path(named).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{FILE_VARIABLE} names {named}, which cannot be read ({type(error).__name__})") from error
    if not text:
        raise CommandError(f"{FILE_VARIABLE} names {named}, which is empty")
    return text


def key_headers() -> dict[str, str]:
    """Make the header that shows the key; none where there is no key.

    Raises:
        CommandError: See `read_key`.
    """
    return bearer(read_key())


def refusal(status: int, body: Any) -> str | None:
    """Explain that a service wants a key, or another one; None for any other reply.

    Args:
        status: The reply's status.
        body: Its JSON.
    """
    if status not in (401, 403) or not isinstance(body, dict):
        return None
    if body.get("type", "").endswith(":administration-closed"):
        return str(body["detail"])
    wanted = body.get("scope")
    needed = f"it takes a key with the scope {wanted}" if wanted else "it takes an API key"
    return f"{body.get('detail') or body.get('title')} ({needed}: {HINT})"
