"""Everything a service knows its callers by: the keys of its file, and tokens of the issuers that it trusts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from starlette.types import Scope

from services.common.auth.caller import Caller
from services.common.auth.keyring import Keyring, Refusal
from services.common.auth.refusal_replies import Refused, refused_key, refused_token
from services.common.auth.tokens.errors import TokenFault, TokenRefusedError
from services.common.auth.tokens.shown_token import read_token
from services.common.auth.tokens.token_judge import TokenJudge

_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys and issuers of a service.

    Attributes:
        keyring: Its keys, or None where it has no file of them.
        judges: Who checks tokens; the first that takes a token's issuer does.
    """

    keyring: Keyring | None
    judges: tuple[TokenJudge, ...] = ()

    async def judge(self, text: str | None, scope: Scope) -> Caller | Refused:
        """Find out whom a text stands for.

        Args:
            text: What was shown as a bearer's credential, or None.
            scope: The request's ASGI scope.
        """
        if text is not None and self.judges and text.count(".") == 2:
            try:
                return await self._of_token(text, scope)
            except TokenRefusedError as error:
                return refused_token(error)
        if text is None or len(text) > _LONGEST_KEY:
            return refused_key(Refusal.MISSING, takes_tokens=bool(self.judges))
        found = self.keyring.find(text) if self.keyring is not None else Refusal.UNKNOWN
        return (
            refused_key(found, takes_tokens=bool(self.judges)) if isinstance(found, Refusal) else Caller.of_key(found)
        )

    async def _of_token(self, text: str, scope: Scope) -> Caller:
        token = read_token(text)
        judge = next((each for each in self.judges if each.takes(token.issuer, scope)), None)
        if judge is None:
            raise TokenRefusedError(TokenFault.ISSUER, "the token is of another issuer")
        return await judge.caller(token, scope)

    def problems(self) -> Sequence[str]:
        """Why tokens cannot be checked, an entry an issuer."""
        found = (judge.problem() for judge in self.judges)
        return [each for each in found if each is not None]

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keep keys and issuers' keys up to date for the length of a block."""
        async with AsyncExitStack() as stack:
            for each in (self.keyring, *self.judges):
                if each is not None:
                    await stack.enter_async_context(each.followed())
            yield
