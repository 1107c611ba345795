"""The caller of a request: whoever it was let in for, by a key or by a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from starlette.types import Scope

from services.common.auth.key import Key, Right

_STATE = "caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever a request was let in for.

    Attributes:
        id: Stands in logs, and for the caller where bounds are shared out: a key's id, or the keyed hash of a token's
            issuer and subject.
        name: For people: whose key it is, or by which application a token was got.
        rights: What it allows; admin stands for all.
        kind: What was shown.
        rate: The most requests of this caller, as "60/minute", or None for those of its rights.
        concurrent: The most that are answered for it at once, or None for those of its rights.

    Example:
        >>> Caller("1a2b3c4d", "ward 7", frozenset({Right.ASK})).allows(Right.FEEDBACK)
        False
    """

    id: str
    name: str
    rights: frozenset[Right]
    kind: Literal["key", "token"] = "key"
    rate: str | None = None
    concurrent: int | None = None

    @classmethod
    def of_key(cls, key: Key) -> Self:
        """Make the caller who holds a key."""
        return cls(key.id, key.name, key.scopes, rate=key.rate, concurrent=key.concurrent)

    def allows(self, right: Right) -> bool:
        """Whether the caller has a right."""
        return right in self.rights or Right.ADMIN in self.rights


def caller_of(scope: Scope) -> Caller | None:
    """Look up whom a request was let in for.

    Args:
        scope: The request's ASGI scope, once the authenticator has let it pass.

    Returns:
        The caller; None where nobody was asked who he is.
    """
    found = scope.get("state", {}).get(_STATE)
    return found if isinstance(found, Caller) else None


def note_caller(scope: Scope, caller: Caller) -> None:
    """Note whom a request was let in for."""
    scope.setdefault("state", {})[_STATE] = caller
