"""The claims of a JSON Web Token (RFC 7519), once its signature, its times and its names have been checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from services.common.auth.tokens.errors import TokenFault, TokenRefusedError
from services.common.auth.tokens.issuer_keys import IssuerKeys
from services.common.auth.tokens.shown_token import UNREADABLE, ShownToken, malformed

_LONGEST_ID: Final = 256
_FAULTS: Final[Sequence[tuple[type[Exception], TokenFault, str]]] = (
    (jwt.ExpiredSignatureError, TokenFault.EXPIRED, "the token has expired"),
    (jwt.ImmatureSignatureError, TokenFault.NOT_YET_VALID, "the token is not valid yet"),
    (jwt.InvalidAudienceError, TokenFault.AUDIENCE, "the token is for another service"),
    (jwt.InvalidIssuerError, TokenFault.ISSUER, "the token is of another issuer"),
    (jwt.MissingRequiredClaimError, TokenFault.CLAIMS, "the token lacks a claim that it must have"),
    (jwt.InvalidAlgorithmError, TokenFault.ALGORITHM, "the token is signed by an algorithm that is not allowed"),
    (jwt.InvalidSignatureError, TokenFault.SIGNATURE, "the signature of the token is wrong"),
    (jwt.InvalidKeyError, TokenFault.SIGNATURE, "the signature of the token is wrong"),
)


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Conditions that a token must meet.

    Attributes:
        issuer: Value of its `iss`.
        audiences: Values of which its `aud` must have one.
        algorithms: Signature algorithms that are allowed.
        required: Claims that it must have.
        kinds: Values of the header's `typ` that are taken, in lower case; a token may have none.
        leeway_s: Seconds by which clocks may differ.
    """

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    required: tuple[str, ...] = ("iss", "sub", "aud", "exp")
    kinds: frozenset[str] = field(default=frozenset({"jwt", "at+jwt", "application/at+jwt"}))
    leeway_s: float = 30.0


async def signed_claims(token: ShownToken, keys: IssuerKeys, rules: TokenRules) -> Mapping[str, Any]:
    """Check a token, and give its claims.

    Args:
        token: The token.
        keys: The issuer's keys.
        rules: What it must be.

    Raises:
        TokenRefusedError: If it is not as it must be.
    """
    header = token.header
    if "crit" in header:
        # RFC 7515, section 4.1.11: who does not understand an extension that is critical refuses the token.
        raise TokenRefusedError(TokenFault.HEADER, "the token has extensions that are not understood here")
    kind = header.get("typ")
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in rules.kinds):
        raise TokenRefusedError(TokenFault.HEADER, "this is a token for another use")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise TokenRefusedError(TokenFault.ALGORITHM, "the token is signed by an algorithm that is not allowed")
    if key_id is not None and (not isinstance(key_id, str) or len(key_id) > _LONGEST_ID):
        raise TokenRefusedError(TokenFault.HEADER, "the token names its key in a form that is not understood here")
    key = await keys.find(key_id, algorithm)
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token.text,
            key=key,
            algorithms=[algorithm],
            audience=list(rules.audiences),
            issuer=rules.issuer,
            leeway=rules.leeway_s,
            options={"require": list(rules.required), "enforce_minimum_key_length": True},
        )
    except UNREADABLE as error:
        for kind_of_error, fault, detail in _FAULTS:
            if isinstance(error, kind_of_error):
                raise TokenRefusedError(fault, detail) from None
        raise malformed() from None
    if "cnf" in claims:
        # RFC 7800: bound to a key of its holder, who would have to prove that he has it. As a bearer's it is worth
        # nothing: whoever stole it could show it as well.
        raise TokenRefusedError(TokenFault.CLAIMS, "the token is bound to a key, which cannot be proven here")
    return claims
