"""A token as it was shown, read once and checked by nobody yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from services.common.auth.tokens.errors import TokenFault, TokenRefusedError

LONGEST_TOKEN: Final = 8192
"""Characters of the longest token that is looked at."""

UNREADABLE: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError, KeyError, AttributeError)
"""Errors that a broken token may come to in the libraries that read it; not an error of this service."""


@dataclass(frozen=True, slots=True)
class ShownToken:
    """A token whose signature has not been checked: by header and issuer it is chosen who checks it, and how.

    Attributes:
        text: The token.
        header: Its header.
        issuer: The issuer that it claims to be of.
    """

    text: str
    header: Mapping[str, Any]
    issuer: str


def read_token(text: str) -> ShownToken:
    """Read a token.

    Raises:
        TokenRefusedError: If the text is no token, is too long, or names no issuer.
    """
    if len(text) > LONGEST_TOKEN:
        raise TokenRefusedError(TokenFault.TOO_LARGE, f"the token has more than {LONGEST_TOKEN} characters")
    try:
        read = jwt.decode_complete(text, options={"verify_signature": False})
    except UNREADABLE:
        raise malformed() from None
    issuer = read["payload"].get("iss")
    if not isinstance(issuer, str):
        raise TokenRefusedError(TokenFault.CLAIMS, "the token names no issuer")
    return ShownToken(text, read["header"], issuer)


def malformed() -> TokenRefusedError:
    """Make the refusal of a text that is no token."""
    return TokenRefusedError(TokenFault.MALFORMED, "this is no token that can be read")
