"""Access tokens of an OpenID Connect issuer become callers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from starlette.types import Scope

from services.common.auth.caller import Caller
from services.common.auth.tokens.errors import TokenFault, TokenRefusedError
from services.common.auth.tokens.issuer_keys import IssuerKeys
from services.common.auth.tokens.shown_token import ShownToken
from services.common.auth.tokens.signed_claims import TokenRules, signed_claims
from services.common.auth.tokens.smart_scopes import ScopeTable, scopes_in
from services.common.auth.tokens.subjects import SubjectNames

_LONGEST_SUBJECT: Final = 255  # OpenID Connect Core, section 2
_APPLICATION: Final = re.compile(r"[A-Za-z0-9._:/@-]{1,60}")


class TokenJudge(Protocol):
    """Checks the tokens of an issuer, or of several."""

    def takes(self, issuer: str, scope: Scope) -> bool:
        """Whether it is the one to check a token that claims to be of an issuer, shown with this request."""
        ...

    async def caller(self, token: ShownToken, scope: Scope) -> Caller:
        """Check a token; raise TokenRefusedError where it is not taken."""
        ...

    def followed(self) -> AbstractAsyncContextManager[None]:
        """Keep what it needs up to date for the length of a block."""
        ...

    def problem(self) -> str | None:
        """Why tokens cannot be checked, or soon not any more; None where all is well. No addresses."""
        ...


class OidcJudge:
    """Checks access tokens that one issuer made for this service; a `TokenJudge`.

    Args:
        keys: The issuer's keys.
        rules: What a token must be.
        scopes: What its scopes allow.
        names: Gives subjects their names.
    """

    def __init__(self, keys: IssuerKeys, rules: TokenRules, scopes: ScopeTable, names: SubjectNames) -> None:
        self.keys = keys
        self._rules = rules
        self._scopes = scopes
        self._names = names

    def takes(self, issuer: str, scope: Scope) -> bool:  # noqa: ARG002 - whatever is asked
        """Whether a token claims to be of this issuer."""
        return issuer == self._rules.issuer

    async def caller(self, token: ShownToken, scope: Scope) -> Caller:  # noqa: ARG002 - whatever is asked
        """Check a token; see `TokenJudge`."""
        claims = await signed_claims(token, self.keys, self._rules)
        return caller_from(claims, self._names, self._scopes)

    def followed(self) -> AbstractAsyncContextManager[None]:
        """Read the issuer's keys again and again for the length of a block."""
        return self.keys.followed()

    def problem(self) -> str | None:
        """Why the keys could not be read the last time."""
        return self.keys.problem


def caller_from(claims: Mapping[str, Any], names: SubjectNames, scopes: ScopeTable) -> Caller:
    """Make the caller of checked claims.

    Raises:
        TokenRefusedError: If there is no subject that can be named.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise TokenRefusedError(TokenFault.CLAIMS, "the token names no subject")
    named = names.of(str(claims["iss"]), subject)
    application = claims.get("client_id", claims.get("azp"))
    known = application if isinstance(application, str) and _APPLICATION.fullmatch(application) else "token"
    return Caller(named, f"{known} ({named[:12]})", scopes.rights(scopes_in(claims)), "token")
