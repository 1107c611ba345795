"""API keys, and their hashes: a key itself is never written down."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.common.rates import Rate

_SHAPE: Final = re.compile(r"tvqa_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_SECRET_BYTES: Final = 32
# Compared with where there is no such key, so that a wrong secret and an unknown id take the same work.
_NOBODY: Final = "sha256:" + hashlib.sha256(b"").hexdigest()

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")
]


class Right(StrEnum):
    """Right that a key gives (OAuth's word is scope).

    `ask` gets answers, `feedback` says what was right, `admin` does everything. `metrics` reads /metrics and nothing
    else: a scraper keeps its key in a file on another machine, and has no business with answers.
    """

    ASK = "ask"
    FEEDBACK = "feedback"
    METRICS = "metrics"
    ADMIN = "admin"


class Key(BaseModel):
    """A key as it is kept.

    Attributes:
        id: Public part of the key's text; stands in logs.
        name: Whose it is, for people.
        hash: Hash of the key's whole text.
        scopes: What it allows; admin stands for all.
        services: Services that take it, or None for all. A key that services ask each other with is of no use at the
            gateway, should it get out.
        created: When it was made.
        expires: From when on it is refused, or None for never.
        rate: Most requests that it is good for, as "60/minute", or None for those of its scopes.
        concurrent: Most requests that are answered for it at once, or None for those of its scopes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
    name: Name
    hash: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
    scopes: Annotated[frozenset[Right], Field(min_length=1)]
    services: Annotated[frozenset[str], Field(min_length=1)] | None = None
    created: AwareDatetime
    expires: AwareDatetime | None = None
    rate: Rate | None = None
    concurrent: Annotated[int, Field(ge=1, le=10_000)] | None = None

    def allows(self, right: Right) -> bool:
        """Whether the key gives a right."""
        return right in self.scopes or Right.ADMIN in self.scopes

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and now >= self.expires


class KeyFile(BaseModel):
    """The keys that a file holds. Several are valid at once: a new one is added before the old one is removed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[Key, ...] = ()

    @model_validator(mode="after")
    def _ids_differ(self) -> KeyFile:
        if len({key.id for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have the same id")
        return self


def make_key(
    name: str,
    scopes: Iterable[Right],
    *,
    created: datetime,
    expires: datetime | None = None,
    services: Iterable[str] | None = None,
    rate: str | None = None,
    concurrent: int | None = None,
) -> tuple[str, Key]:
    """Make a key.

    Args:
        name: Whose it is.
        scopes: What it allows.
        created: Now.
        expires: From when on it is refused; None for never.
        services: Services that take it; None for all.
        rate: Most requests that it is good for, as "60/minute"; None for those of its scopes.
        concurrent: Most requests that are answered for it at once; None for those of its scopes.

    Returns:
        The key's text, which is shown once, and what is kept of it.

    Raises:
        pydantic.ValidationError: If the name is blank or too long, or there are no scopes.
    """
    key_id = secrets.token_hex(4)
    text = f"tvqa_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    kept = Key(
        id=key_id,
        name=name,
        hash=hash_of(text),
        scopes=frozenset(scopes),
        services=None if services is None else frozenset(services),
        created=created,
        expires=expires,
        rate=rate,
        concurrent=concurrent,
    )
    return text, kept


def hash_of(text: str) -> str:
    """Hash a key's text.

    A slow, salted hash is for passwords, which people choose and others guess. A key holds 256 random bits: nobody
    finds it by trying, however fast the hash, and a slow one would let strangers keep the service busy.
    """
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def id_of(text: str) -> str | None:
    """Read the public part of a key's text; None where it is no key at all."""
    match = _SHAPE.fullmatch(text)
    return match[1] if match else None


def is_of(text: str, key: Key | None) -> bool:
    """Whether a text is a key's; takes the same time whether there is such a key, and however much of it is right."""
    return hmac.compare_digest(hash_of(text), _NOBODY if key is None else key.hash) and key is not None
