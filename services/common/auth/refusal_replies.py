"""Refusals by the authenticator, in the words of RFC 6750: which reply a missing or wrong credential gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from services.common.auth.keyring import Refusal
from services.common.auth.tokens.errors import TokenRefusedError


@dataclass(frozen=True, slots=True)
class Refused:
    """A credential that is not taken, or the lack of one.

    Attributes:
        reason: The label of the count of refusals.
        kind: The problem document's kind.
        detail: Its detail, for a person.
        challenge: Value of WWW-Authenticate.
        shown: Which credential it is about.
        is_guess: Whether it counts as an attempt to guess: a key that never was one. A token's
            signature cannot be guessed.
    """

    reason: str
    kind: str
    detail: str
    challenge: str
    shown: Literal["nothing", "key", "token"]
    is_guess: bool


# RFC 6750, section 3: no error code where nothing was sent.
_INVALID: Final = 'Bearer error="invalid_token"'
_OF_KEYS: Final = {
    Refusal.MISSING: Refused("missing", "key-required", "", "Bearer", "nothing", is_guess=False),
    Refusal.UNKNOWN: Refused(
        "unknown", "key-refused", "This is no key of this service.", _INVALID, "key", is_guess=True
    ),
    Refusal.EXPIRED: Refused("expired", "key-refused", "This key has expired.", _INVALID, "key", is_guess=False),
}
_HOW_BY_KEY: Final = "Send an API key: Authorization: Bearer tvqa_..."
_HOW_BY_EITHER: Final = "Send an API key or an access token: Authorization: Bearer ..."


def refused_key(refusal: Refusal, *, takes_tokens: bool) -> Refused:
    """Describe why a text is no key of the service, or that there is none.

    Example:
        >>> refused_key(Refusal.EXPIRED, takes_tokens=False).detail
        'This key has expired.'
    """
    found = _OF_KEYS[refusal]
    if refusal is not Refusal.MISSING:
        return found
    how = _HOW_BY_EITHER if takes_tokens else _HOW_BY_KEY
    return Refused(found.reason, found.kind, how, found.challenge, found.shown, is_guess=False)


def refused_token(error: TokenRefusedError) -> Refused:
    """Describe why a token is not taken; nothing of the token is quoted."""
    challenge = f'{_INVALID}, error_description="{error}"'
    return Refused(str(error.fault), "token-refused", f"{error}.", challenge, "token", is_guess=False)
