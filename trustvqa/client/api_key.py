"""The API key that programs show to services, as the environment names it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trustvqa.client.errors import ClientError

VARIABLE, FILE_VARIABLE = "TRUSTVQA_API_KEY", "TRUSTVQA_API_KEY_FILE"
MAX_BYTES: Final = 16_000
"""Largest file of a key or a token; longer ones fit into no header."""
_NO_KEY: Final = "no key: a key is one word of visible ASCII"


class UnreadableKeyError(ClientError):
    """A key or token is named that is none, or whose file cannot be read; the message does not show it."""


def key_from_environment(environment: Mapping[str, str] | None = None) -> str | None:
    """Read the key that the environment names, or the file that it names.

    Args:
        environment: By default that of this process.

    Returns:
        The key's text, or None where there is none.

    Raises:
        UnreadableKeyError: If the file with it cannot be read or is empty, or what is there is no key.

    Example:
        >>> key_from_environment({"TRUSTVQA_API_KEY": "tvqa_example"})
        'tvqa_example'
    """
    there = os.environ if environment is None else environment
    if text := there.get(VARIABLE, "").strip():
        if not is_writable(text):
            raise UnreadableKeyError(f"{VARIABLE} holds {_NO_KEY}")
        return text
    named = there.get(FILE_VARIABLE, "")
    if not named:
        return None
    try:
        text = secret_in(Path(named))
    except (OSError, ValueError) as error:
        # None of its own words, and no traceback with them: a decoder's hold the file's content.
        raise UnreadableKeyError(
            f"{FILE_VARIABLE} names {named}, which cannot be read ({type(error).__name__})"
        ) from None
    if not text:
        raise UnreadableKeyError(f"{FILE_VARIABLE} names {named}, which is empty")
    if not is_writable(text):
        raise UnreadableKeyError(f"{FILE_VARIABLE} names {named}, which holds {_NO_KEY}")
    return text


def secret_in(path: Path) -> str:
    """Read the key or token in a file; space around it is left out.

    Args:
        path: The file, of at most `MAX_BYTES` bytes of ASCII.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is too large, or no ASCII.
    """
    with path.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"the file has more than {MAX_BYTES} bytes")
    return content.decode("ascii").strip()


def is_writable(text: str) -> bool:
    r"""Whether a text can stand in a header as one word: visible ASCII, no space or line break.

    Example:
        >>> is_writable("tvqa_example"), is_writable("two\nlines")
        (True, False)
    """
    return all("!" <= sign <= "~" for sign in text)
