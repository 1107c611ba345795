"""Servers that policy versions may be found on, and a policy model behind the one that has it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prompt4trust.models import Generation, Sampling, TransportError
from prompt4trust.prompts import Message
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpCallError, HttpPool, NotConnectedError
from services.common.clients.retries import RetrySettings
from services.policy.errors import NotServedError

_LIST_S = 5.0
_PROBE_S = 1.2
"""Longest waits for a server's list of models, half as long for the connection; the second, so that readiness probes of
this service, which wait for 2 s, learn something."""
_SLOW = "no reply in time"


class ModelServers:
    """The servers that policy versions may be found on, in order of preference.

    With two, a version takes another's place without a gap: the second server is started with the new version, the
    version is activated, the first server is ended. See docs/vllm.md.

    Args:
        pools: A connection pool for each, whose base URL ends in /v1; the caller closes them.
        retry: Deadline and retries of one request.
    """

    def __init__(self, pools: Sequence[HttpPool], retry: RetrySettings) -> None:
        self._pools = tuple(pools)
        self._retry = retry

    async def find(self, model: str, *, but: HttpPool | None = None) -> HttpPool:
        """Find a server that lists a model.

        Args:
            model: Its name.
            but: A server that is not wanted.

        Returns:
            The first of them.

        Raises:
            NotServedError: If none lists it.
        """
        lists = await self._lists(_LIST_S)
        for pool, listed in zip(self._pools, lists, strict=True):
            if pool is not but and not isinstance(listed, str) and model in listed:
                return pool
        raise NotServedError(self._said(lists))

    async def trouble(self, model: str) -> str | None:
        """Find out why a model cannot be asked for, if no server has it; one that only takes its time may have it."""
        lists = await self._lists(_PROBE_S)
        if any(listed == _SLOW or (not isinstance(listed, str) and model in listed) for listed in lists):
            return None
        return f"no model server has it ({self._said(lists)})"

    def client(self, pool: HttpPool, model: str) -> DownstreamClient:
        """Make what asks a server for a model."""
        return DownstreamClient(pool, model, self._retry)

    async def _lists(self, within_s: float) -> list[list[str] | str]:
        return list(await asyncio.gather(*(_models(pool, within_s) for pool in self._pools)))

    def _said(self, lists: Sequence[list[str] | str]) -> str:
        def one(number: int, listed: list[str] | str) -> str:
            name = f"server {number}" if len(self._pools) > 1 else "the server"
            if isinstance(listed, str):
                return f"{name}: {listed}"
            return f"{name} serves {', '.join(listed) or 'nothing'}"

        return "; ".join(one(number, listed) for number, listed in enumerate(lists, 1))


class RemoteGenerator:
    """A policy model behind an OpenAI-compatible server.

    Where that server fails and another one lists the model, that one is asked from then on.

    Args:
        servers: Where the model may be.
        pool: The server that has it.
        model: Its name there.
    """

    def __init__(self, servers: ModelServers, pool: HttpPool, model: str) -> None:
        self._servers = servers
        self._pool = pool
        self._model = model
        # Kept, since it knows what the server refuses.
        self._client = servers.client(pool, model)

    async def generate(self, messages: Sequence[Message], n: int, sampling: Sampling) -> Generation:
        """Write n continuations of a chat (see Generator)."""
        asked = self._pool
        try:
            return await self._client.complete(messages, sampling, n=n)
        except TransportError as error:
            if not _may_have_moved(error):
                raise
            try:
                self._pool = await self._servers.find(self._model, but=asked)
            except NotServedError:
                raise error from None
            self._client = self._servers.client(self._pool, self._model)
        return await self._client.complete(messages, sampling, n=n)

    async def trouble(self) -> str | None:
        """Find out why no server can be asked for the model, if that is so."""
        return await self._servers.trouble(self._model)

    @property
    def alive(self) -> bool:
        """Always: servers may be back by the next request."""
        return True

    async def aclose(self) -> None:
        """Do nothing: the model is somebody else's."""


def _may_have_moved(error: TransportError) -> bool:
    """Whether a failure is a server's and not the request's: away, without the model, ending, or broken."""
    return not error.timed_out and (error.status is None or error.status == 404 or error.status >= 500)


async def _models(pool: HttpPool, within_s: float) -> list[str] | str:
    """List the models of a server, or give the reason why that is not possible."""
    try:
        response = await pool.get("models", within_s)
        if response.status != 200:
            return f"status {response.status}"
        return [str(entry["id"]) for entry in response.json()["data"]]
    except HttpCallError as error:
        is_slow = error.timed_out and not isinstance(error, NotConnectedError)
        return _SLOW if is_slow else "the connection failed"
    except (ValueError, KeyError, TypeError):
        return "its list of models cannot be read"
