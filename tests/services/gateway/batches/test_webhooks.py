"""Word that a batch is done, over real HTTP: signed, to allowed addresses only, and again where nobody is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.common.http.problems import Problem
from services.gateway.batches.schemas import BatchCounts, BatchSummary
from services.gateway.batches.webhooks import Webhooks
from services.gateway.settings import GatewaySettings
from tests.services.gateway.batches.streams import line, send
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.servers import running
from tests.support.waiting import until, wait_until

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
SUMMARY = BatchSummary(batch="batch_1", complete=True, counts=BatchCounts(lines=2, answered=2))


@contextmanager
def receiver(*statuses: int) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A receiver that replies with these statuses in turn, and with 204 from then on."""
    taken: list[tuple[dict[str, str], bytes]] = []
    left = list(statuses)

    async def take(request: Request) -> Response:
        taken.append((dict(request.headers), await request.body()))
        status = left.pop(0) if left else 204
        return RedirectResponse("/elsewhere", status) if 300 <= status < 400 else Response(status_code=status)

    with running(Starlette(routes=[Route("/{path:path}", take, methods=["POST", "GET"])])) as url:
        yield url, taken


def test_a_batch_that_is_done_is_told_with_its_counts_and_a_signature(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    settings = {"webhook_hosts": {"127.0.0.1"}, "webhook_secret": SECRET}
    with receiver() as (url, taken), make_gateway(**settings) as gateway:
        with httpx.Client(base_url=gateway, timeout=20) as client:
            _, summary = send(client, [line("a"), line("b", question="")], **{"Webhook-Url": f"{url}/hook?x=1"})
        wait_until(lambda: bool(taken))
        [(headers, body)] = taken
    told: dict[str, Any] = Webhook(SECRET).verify(body, headers)
    assert told["type"] == "batch.done"
    assert told["data"] == summary
    assert told["data"]["counts"]["lines"] == 2
    assert b"Oval" not in body
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"2", b"3"), headers)


async def test_a_receiver_that_is_away_is_told_again_under_the_same_id() -> None:
    with receiver(503, 302, 500) as (url, taken):
        async with httpx.AsyncClient() as http:
            webhooks = Webhooks(http, frozenset({"127.0.0.1"}), SecretStr(SECRET), first_pause_s=0.01)
            webhooks.check(url)
            webhooks.send(url, SUMMARY)
            await until(lambda: len(taken) == 4)
            await webhooks.close(5)
        assert len({headers["webhook-id"] for headers, _ in taken}) == 1
        assert {json.loads(body)["data"]["batch"] for _, body in taken} == {"batch_1"}


async def test_one_that_never_takes_it_is_given_up() -> None:
    with receiver(*[500] * 50) as (url, taken):
        async with httpx.AsyncClient() as http:
            webhooks = Webhooks(http, frozenset({"127.0.0.1"}), SecretStr(SECRET), first_pause_s=0.01)
            webhooks.send(url, SUMMARY)
            await webhooks.close(20)
        assert len(taken) == 6


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/",
        "http://allowed.example/",  # not https
        "https://allowed.example@elsewhere.example/",
        "https://x@allowed.example/",
        "https://allowed.example.elsewhere.example/",
        "ftp://allowed.example/",
        "https://[",
        "//allowed.example/",
        "",
        "https://allowed.example/#part",
        "https://allowed.example/" + "x" * 2000,
        "http://169.254.169.254/latest",
        "http://127.0.0.1:9/",
    ],
)
async def test_no_other_address_is_told(address: str) -> None:
    async with httpx.AsyncClient() as http:
        webhooks = Webhooks(http, frozenset({"allowed.example"}), SecretStr(SECRET))
        with pytest.raises(Problem) as raised:
            webhooks.check(address)
        assert (raised.value.status, raised.value.kind) == (422, "webhook-not-allowed")
        webhooks.check("https://allowed.example/hook")
        webhooks.check("https://ALLOWED.example.:8443/hook")


@pytest.mark.parametrize("secret", [None, "short", "whsec_", "whsec_c2hvcnQ=", "x" + SECRET, "whsec_???"])
def test_nothing_goes_out_without_a_good_secret(secret: str | None) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(webhook_hosts=frozenset({"a.example"}), webhook_secret=secret)
    assert GatewaySettings().webhook_hosts == frozenset()
