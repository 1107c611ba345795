"""The API key that programs show to services, as the environment names it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from trustvqa.client.errors import ClientError

VARIABLE, FILE_VARIABLE = "TRUSTVQA_API_KEY", "TRUSTVQA_API_KEY_FILE"


class UnreadableKeyError(ClientError):
    """A file is named that is to hold an API key, and there is none in it."""


def key_from_environment(environment: Mapping[str, str] | None = None) -> str | None:
    """Read the key that the environment names, or the file that it names.

    Args:
        environment: By default that of this process.

    Returns:
        The key's text, or None where there is none.

    Raises:
        UnreadableKeyError: If the file with it cannot be read or is empty.

    Example:
        >>> key_from_environment({"TRUSTVQA_API_KEY": "tvqa_example"})
        'tvqa_example'
    """
    there = os.environ if environment is None else environment
    if text := there.get(VARIABLE, "").strip():
        return text
    named = there.get(FILE_VARIABLE, "")
    if not named:
        return None
    try:
        text = Path(named).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableKeyError(
            f"{FILE_VARIABLE} names {named}, which cannot be read ({type(error).__name__})"
        ) from error
    if not text:
        raise UnreadableKeyError(f"{FILE_VARIABLE} names {named}, which is empty")
    return text
