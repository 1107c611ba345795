"""Files of API keys for tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from services.common.auth import Key, Right, make_key
from services.common.auth.key_file import change_keys

MADE = datetime(2026, 1, 2, tzinfo=UTC)


def keys_at(path: Path, **scopes: str | Iterable[str]) -> dict[str, str]:
    """Write a file with a key of each name and these scopes; every right where none is named.

    Returns:
        Name -> the key's text.
    """
    wanted = scopes or {right.value: right.value for right in Right}
    texts: dict[str, str] = {}
    made: list[Key] = []
    for name, given in wanted.items():
        rights = [Right(each) for each in ([given] if isinstance(given, str) else given)]
        texts[name], key = make_key(name, rights, created=MADE)
        made.append(key)
    change_keys(path, lambda _: tuple(made))
    return texts


def bearer(text: str) -> dict[str, str]:
    """The header by which a program shows a key."""
    return {"Authorization": f"Bearer {text}"}
