"""Errors about tokens.

TokenRefusedError  a token is not taken
IssuerError        an issuer's keys cannot be read
"""

from __future__ import annotations

from enum import StrEnum


class TokenFault(StrEnum):
    """Ground on which a token is refused; the label of the count of refusals."""

    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    ALGORITHM = "algorithm"
    HEADER = "header"
    UNKNOWN_KEY = "unknown-key"
    SIGNATURE = "signature"
    EXPIRED = "token-expired"
    NOT_YET_VALID = "not-yet-valid"
    AUDIENCE = "audience"
    ISSUER = "issuer"
    CLAIMS = "claims"
    UNVERIFIABLE = "unverifiable"
    REPLAYED = "replayed"


class TokenRefusedError(Exception):
    """A token is not taken.

    Args:
        fault: The ground.
        detail: The same for a person, without a full stop and quotation marks; it quotes nothing of the token.
    """

    def __init__(self, fault: TokenFault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


class IssuerError(Exception):
    """An issuer's keys cannot be read; the message says why, without addresses."""
