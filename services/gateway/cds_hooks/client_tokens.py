"""Tokens of CDS Hooks' clients: each made by the client itself, for one call of one service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from starlette.types import Scope

from services.common.auth import Right
from services.common.auth.caller import Caller
from services.common.auth.from_settings import timing_from
from services.common.auth.tokens.errors import TokenFault, TokenRefusedError
from services.common.auth.tokens.issuer_keys import IssuerKeys
from services.common.auth.tokens.issuer_source import IssuerSource
from services.common.auth.tokens.shared_tokens import OwnTokens, SharedTokens, UsedTokens
from services.common.auth.tokens.shown_token import ShownToken
from services.common.auth.tokens.signed_claims import TokenRules, signed_claims
from services.gateway.cds_hooks.schemas import FEEDBACK_PATH, SERVICE_PATH
from services.gateway.settings import GatewaySettings

ALGORITHMS: Final = ("ES384", "RS384", "ES256", "RS256", "PS384", "PS256")
"""Those that CDS Hooks recommends first."""

LONGEST_S: Final = 300.0
"""Longest life of a token, as CDS Hooks asks."""

_RIGHTS: Final = frozenset({Right.ASK, Right.FEEDBACK})
_LONGEST_ID: Final = 256
_NAMED: Final = 60


class CdsClientJudge:
    """Checks the tokens of CDS Hooks' clients, on its paths alone; a `TokenJudge`.

    Args:
        settings: The gateway's settings, with clients.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._base = settings.cds_hooks_url or ""
        self._addresses: Mapping[str, str] = settings.cds_clients
        self._leeway_s = settings.oidc_leeway_s
        redis = settings.rate_redis_url
        self._used: UsedTokens = OwnTokens() if redis is None else SharedTokens(redis.get_secret_value())
        timing = timing_from(settings)
        self._keys = {
            issuer: IssuerKeys(IssuerSource(issuer, url), ALGORITHMS, timing) for issuer, url in self._addresses.items()
        }

    def takes(self, issuer: str, scope: Scope) -> bool:
        """Whether a client of that name is known, and asks by CDS Hooks."""
        return issuer in self._keys and scope["path"] in (SERVICE_PATH, FEEDBACK_PATH)

    async def caller(self, token: ShownToken, scope: Scope) -> Caller:
        """Check a token; see `TokenJudge`. It is good once."""
        issuer = token.issuer
        named = token.header.get("jku")
        if named is not None and named != self._addresses[issuer]:
            raise TokenRefusedError(TokenFault.HEADER, "the token names keys at an address that is not the client's")
        invoked = self._base + scope["path"]
        rules = TokenRules(
            issuer,
            (invoked, self._base + SERVICE_PATH),
            ALGORITHMS,
            required=("iss", "aud", "exp", "iat", "jti"),
            kinds=frozenset({"jwt"}),
            leeway_s=self._leeway_s,
        )
        claims = await signed_claims(token, self._keys[issuer], rules)
        await self._use_up(issuer, claims)
        return Caller(f"cds_{issuer[:_NAMED]}", f"CDS Hooks {issuer[:_NAMED]}", _RIGHTS, "token")

    async def _use_up(self, issuer: str, claims: Mapping[str, Any]) -> None:
        until, token_id = float(claims["exp"]), claims["jti"]
        if until - float(claims["iat"]) > LONGEST_S:
            raise TokenRefusedError(TokenFault.CLAIMS, f"the token is good for more than {LONGEST_S:g} seconds")
        if not isinstance(token_id, str) or not 0 < len(token_id) <= _LONGEST_ID:
            raise TokenRefusedError(TokenFault.CLAIMS, "the token has no id that can be remembered")
        await self._used.use(issuer, token_id, until + self._leeway_s)

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Read the clients' keys again and again for the length of a block."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._used.close)
            for keys in self._keys.values():
                await stack.enter_async_context(keys.followed())
            yield

    def problem(self) -> str | None:
        """Why keys of a client could not be read the last time."""
        return next((keys.problem for keys in self._keys.values() if keys.problem is not None), None)
