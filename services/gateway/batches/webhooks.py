"""Word that a batch is done, to an address that its client named and the operator allows: a signed webhook.

As Standard Webhooks 1.0 has it: the headers webhook-id, webhook-timestamp and webhook-signature (HMAC-SHA256).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import httpx
import stamina
import structlog
from pydantic import SecretStr
from standardwebhooks import Webhook

from services.common.address import host_of
from services.common.clients.http_client import HttpClient
from services.common.http.problems import Problem
from services.common.settings import LOOPBACK
from services.gateway.batches.schemas import BatchDone, BatchSummary

HEADER: Final = "Webhook-Url"
MAX_ADDRESS: Final = 2_000
_TRY_S: Final = 10.0
_ATTEMPTS: Final = 6
_ALL_S: Final = 300.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_MOST_PENDING: Final = 64
_log = structlog.get_logger(__name__)


class Webhooks:
    """Sends webhooks, each in a task of its own and again where the receiver is away.

    Args:
        http: A client that follows no redirects, since one would lead out of the list.
        hosts: Hosts that may be told.
        secret: Key of the signatures; None where no host may be told.
        clock: Gives the present time, with its zone.
        first_pause_s: Pause before the second try; it doubles, up to a minute.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        hosts: frozenset[str],
        secret: SecretStr | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._http = http
        self._hosts = hosts
        self._signer = None if secret is None else Webhook(secret.get_secret_value())
        self._clock = clock
        self._first_pause_s = first_pause_s
        self._pending: set[asyncio.Task[None]] = set()

    def check(self, address: str) -> None:
        """Check that an address may be told.

        Args:
            address: What a client sent.

        Raises:
            Problem: 422 if it may not, 503 if too many have not been told yet.
        """
        host = host_of(address) if len(address) <= MAX_ADDRESS else None
        is_safe = address[:6].lower() == "https:" or host in LOOPBACK
        if self._signer is None or not host or host not in self._hosts or not is_safe or urlsplit(address).fragment:
            raise Problem(
                422,
                "webhook-not-allowed",
                f"{HEADER} must be an https address of a host that this gateway's operator has allowed "
                "(TRUSTVQA_GATEWAY_WEBHOOK_HOSTS).",
            )
        if len(self._pending) >= _MOST_PENDING:
            raise Problem(503, "busy", "Too many webhooks have not been delivered yet.", retry_after=30)

    def send(self, address: str, summary: BatchSummary) -> None:
        """Begin to tell an address, which was checked, that a batch is done."""
        task = asyncio.create_task(self._deliver(address, summary))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def close(self, within_s: float) -> None:
        """Wait a while for what is under way, then give it up."""
        if self._pending:
            _, late = await asyncio.wait(self._pending, timeout=within_s)
            for task in late:
                task.cancel()
            if late:
                _log.warning("webhooks were given up, as the service ends", count=len(late))

    async def _deliver(self, address: str, summary: BatchSummary) -> None:
        now = self._clock()
        body = BatchDone(timestamp=now.isoformat(), data=summary).model_dump_json(exclude_none=True)
        # The same for every try, so that a receiver knows one that it has had.
        message_id = f"msg_{uuid.uuid4().hex}"
        try:
            async with asyncio.timeout(_ALL_S):
                async for attempt in stamina.retry_context(
                    on=(httpx.HTTPError, _NotTakenError),
                    attempts=_ATTEMPTS,
                    timeout=_ALL_S,
                    wait_initial=self._first_pause_s,
                    wait_max=_LONGEST_PAUSE_S,
                    wait_jitter=self._first_pause_s,
                ):
                    with attempt:
                        await self._try(address, message_id, body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, _NotTakenError) as error:
            _log.warning("a webhook could not be delivered", host=host_of(address), reason=type(error).__name__)
        else:
            _log.info("a webhook was delivered", host=host_of(address), batch=summary.batch)

    async def _try(self, address: str, message_id: str, body: str) -> None:
        signer = self._signer
        if signer is None:
            raise RuntimeError("no key to sign with: the address cannot have been checked")
        now = self._clock()
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(message_id, now, body),
        }
        async with self._http.stream("POST", address, content=body, headers=headers, timeout=_TRY_S) as response:
            # What it says is of no interest, and may be endless.
            if not response.is_success:
                raise _NotTakenError


class _NotTakenError(Exception):
    """The receiver replied with something else than success."""


@asynccontextmanager
async def open_webhooks(hosts: frozenset[str], secret: SecretStr | None, closing_s: float) -> AsyncIterator[Webhooks]:
    """Send webhooks for the length of a block.

    Args:
        hosts: Hosts that may be told.
        secret: Key of the signatures.
        closing_s: How long those under way are waited for at the end, in seconds.
    """
    async with HttpClient(follow_redirects=False) as http:
        webhooks = Webhooks(http, frozenset(host.strip().lower() for host in hosts), secret)
        try:
            yield webhooks
        finally:
            await webhooks.close(closing_s)
