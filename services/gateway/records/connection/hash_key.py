"""The key of the records' hashes: without it nobody finds by trying what was asked, and which picture it was.

A plain SHA-256 of "Is there a fracture?" is found in an instant by whoever tries the questions that people ask. So what
is stored is HMAC-SHA256 (RFC 2104) of the plain hash, under a secret that is not in the database. Records of versions
before this one hold plain hashes; they can be keyed without the texts, which nobody kept.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio.to_thread

from prompt4trust.files import write_atomically
from services.gateway.records.connection.database import Database
from services.gateway.records.errors import HashSecretError

HASHES: Final = ("image_sha256", "question_sha256", "options_sha256", "guidance_sha256", "explanation_sha256")
"""Columns that hold hashes. Their names are those of the days when they were plain."""

SHORTEST: Final = 32
"""Characters that a secret has at least."""

_SUFFIX = ".hash-secret"
_ABOUT_KEY = b"trustvqa: the name of the key of the records' hashes"


class HashKey:
    """A key for hashes.

    Args:
        secret: At least `SHORTEST` characters, as random as 64 hexadecimal digits.

    Attributes:
        id: Name of the key, which says nothing of the secret: 16 hexadecimal digits.

    Raises:
        HashSecretError: If the secret is too short.

    Example:
        >>> key = HashKey("0123456789abcdef" * 4)
        >>> key.id, key.of("ab" * 32)[:16]
        ('ccfd1cacbceab7cd', 'b3b3cd8cf10d1325')
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST:
            raise HashSecretError(f"the secret of the records' hashes has fewer than {SHORTEST} characters")
        self._secret = secret.encode()
        self.id = self._mac(_ABOUT_KEY)[:16]

    def of(self, digest: str) -> str:
        """Key a hash.

        Args:
            digest: SHA-256 in hexadecimal digits.

        Returns:
            HMAC-SHA256 of its 32 bytes, in hexadecimal digits.
        """
        return self._mac(bytes.fromhex(digest))

    def keyed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Key the plain hashes of a row, or of a part of one, and name the key beside them."""
        hashes = {name: self.of(row[name]) for name in HASHES if row.get(name) is not None}
        return {**row, **hashes, "hash_key": self.id}

    def derived(self, purpose: bytes) -> bytes:
        """Derive the secret of another key, which tells nothing of this one's: 32 bytes."""
        return hmac.digest(self._secret, purpose, "sha256")

    def _mac(self, content: bytes) -> str:
        return hmac.digest(self._secret, content, "sha256").hex()


async def find_hash_key(database: Database, secret: str | None) -> HashKey:
    """Find the key of a database's hashes; for SQLite one is made where there is none.

    Args:
        database: Its tables are there already.
        secret: The one that the settings give, or None: SQLite's then lies in a file beside the database, for its
            owner alone.

    Raises:
        HashSecretError: If there is none, or what there is is none.
        OSError: If the file cannot be read or made.
    """
    if secret is not None:
        return HashKey(secret)
    if database.file is None:
        raise HashSecretError(
            "records in PostgreSQL need a secret for their hashes, the same for all gateways: "
            "TRUSTVQA_GATEWAY_RECORD_HASH_SECRET, for instance from `openssl rand -hex 32`"
        )
    file = secret_file(database.file)
    found = await anyio.to_thread.run_sync(_read, file)
    if found is None:
        # Gateways that start at once on one database take turns: the second finds what the first has made.
        found = await database.write(lambda _: _read_or_make(file))
    try:
        return HashKey(found)
    except HashSecretError as error:
        raise HashSecretError(f"{file} holds no secret: bring it back, or delete it for a new one") from error


def secret_file(database: Path) -> Path:
    """Name the file of the secret of SQLite's file."""
    return database.with_name(database.name + _SUFFIX)


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None


def _read_or_make(file: Path) -> str:
    found = _read(file)
    if found is None:
        found = secrets.token_hex(32)
        write_atomically(file, f"{found}\n")
    return found
