"""Tokens that clients of CDS Hooks make themselves: for one call, of one service, good once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.common.auth.tokens.errors import TokenRefusedError
from services.common.auth.tokens.seen_tokens import SeenTokens
from services.common.auth.tokens.shared_tokens import SharedTokens
from services.common.shared_redis import RedisBusyError, SharedRedis
from services.gateway.cds_hooks.schemas import FEEDBACK_PATH, SERVICE_PATH
from tests.services.common.auth.tokens.issuer import Issuer, ec_key, rsa_key, serving_issuer
from tests.services.gateway.cds_hooks.hooks import BASE, EHR, call, client_token, hook, overridden, tell
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.services.policy.redis_server import running_redis
from tests.support.keys import bearer
from tests.support.servers import free_port


@pytest.fixture(scope="module")
def ehr() -> Iterator[Issuer]:
    with serving_issuer() as found:
        yield found


@pytest.fixture(scope="module")
def url(make_gateway: MakeGateway, ehr: Issuer) -> Iterator[str]:
    clients = {EHR: f"{ehr.url}/keys", "https://other.example": f"{ehr.url}/keys"}
    with make_gateway(cds_hooks_url=BASE, cds_clients=clients, confidence_threshold=0.2) as url:
        yield url


@pytest.fixture
def http(url: str, upstream: Upstream) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as http:
        yield http


def test_a_client_calls_and_gives_feedback(http: httpx.Client) -> None:
    card = call(http, bearer(client_token()))
    for audience in (BASE + FEEDBACK_PATH, BASE + SERVICE_PATH):
        headers = bearer(client_token(aud=audience))
        assert tell(http, overridden(card), headers=headers).json() == {"taken": 1, "reviews": 1}


def test_a_client_may_name_where_its_keys_are(http: httpx.Client, ehr: Issuer) -> None:
    call(http, bearer(client_token(header={"jku": f"{ehr.url}/keys"})))
    refused = http.post(SERVICE_PATH, json=hook(), headers=bearer(client_token(header={"jku": "https://evil.example"})))
    assert_problem(refused, 401, "token-refused")


def test_a_token_is_good_once(http: httpx.Client) -> None:
    token = client_token()
    call(http, bearer(token))
    assert_problem(http.post(SERVICE_PATH, json=hook(), headers=bearer(token)), 401, "token-refused")
    assert_problem(tell(http, headers=bearer(token)), 401, "token-refused")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{BASE}/cds-services"},
        {"aud": BASE},
        {"aud": "https://elsewhere.example/cds-services/image-question"},
        {"aud": BASE + FEEDBACK_PATH},
        {"iss": "https://unknown.example"},
        {"iss": None},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 300},
        {"iat": None},
        {"exp": None},
        {"exp": int(time.time()) - 120},
        {"exp": int(time.time()) + 3600},
        {"key": ec_key("somebody's")},
        {"header": {"kid": "nobody"}},
        {"header": {"typ": "at+jwt"}},
    ],
)
def test_bad_tokens_are_refused(http: httpx.Client, upstream: Upstream, changes: dict[str, Any]) -> None:
    reply = http.post(SERVICE_PATH, json=hook(), headers=bearer(client_token(**changes)))
    assert_problem(reply, 401, "token-refused")
    assert reply.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert upstream.asked == []


def test_they_open_nothing_but_cds_hooks(http: httpx.Client) -> None:
    assert_problem(http.post("/vqa", json=body(), headers=bearer(client_token())), 401, "token-refused")
    assert_problem(http.get("/v1/reviews", headers=bearer(client_token())), 401, "token-refused")
    assert_problem(http.post(SERVICE_PATH, json=hook()), 401, "key-required")
    assert http.get("/cds-services").status_code == 200


def test_one_client_s_key_does_not_sign_for_another(make_gateway: MakeGateway, ehr: Issuer, upstream: Upstream) -> None:
    with serving_issuer() as other:
        other.keys = {"ec-1": ec_key("other's"), "rsa-1": rsa_key("other's")}
        clients = {EHR: f"{ehr.url}/keys", "https://other.example": f"{other.url}/keys"}
        with make_gateway(cds_hooks_url=BASE, cds_clients=clients) as url, httpx.Client(base_url=url) as http:
            forged = client_token(key=ec_key("other's"))
            assert_problem(http.post(SERVICE_PATH, json=hook(), headers=bearer(forged)), 401, "token-refused")
            own = client_token(key=ec_key("other's"), iss="https://other.example")
            call(http, bearer(own))


def test_a_token_is_good_once_at_all_gateways_that_share_a_redis(
    make_gateway: MakeGateway, ehr: Issuer, upstream: Upstream
) -> None:
    with running_redis() as redis:
        settings = {"cds_hooks_url": BASE, "cds_clients": {EHR: f"{ehr.url}/keys"}, "rate_redis_url": redis.url}
        with make_gateway(**settings) as one, make_gateway(**settings) as other:
            headers = bearer(client_token())
            with httpx.Client(base_url=one, timeout=20) as http:
                call(http, headers)
            reply = httpx.post(other + SERVICE_PATH, json=hook(), headers=headers, timeout=20)
            assert_problem(reply, 401, "token-refused")
            assert "shown before" in reply.json()["detail"]
            with httpx.Client(base_url=other, timeout=20) as http:
                call(http, bearer(client_token()))
            with redis.client() as client:
                kept = client.keys("trustvqa:tokens:*")
                assert len(kept) == 2
                assert all(0 < client.pttl(key) <= 400_000 for key in kept)


async def test_many_tokens_at_once_are_known_to_all_who_share_the_redis() -> None:
    with running_redis() as redis:
        one, other = SharedTokens(redis.url, 5.0), SharedTokens(redis.url, 5.0)
        until = time.time() + 300
        await asyncio.gather(*(one.use(EHR, str(number), until) for number in range(100)))
        again = [other.use(EHR, str(number), until) for number in range(100)]
        found = await asyncio.gather(*again, return_exceptions=True)
        assert [str(each) for each in found] == ["the token was shown before"] * 100
        await one.close()
        await other.close()


async def test_a_silent_redis_keeps_nobody_out_and_many_wait_for_it_once() -> None:
    with running_redis() as redis:
        tokens = SharedTokens(redis.url, 0.3)
        until = time.time() + 300
        await tokens.use(EHR, "first", until)
        with redis.stopped():
            begun = time.monotonic()
            await asyncio.gather(*(tokens.use(EHR, str(number), until) for number in range(100)))
            assert time.monotonic() - begun < 5.0
        await tokens.close()


async def test_a_busy_redis_is_no_outage() -> None:
    """Whose turn does not come is told so; the next one's does."""
    with running_redis() as redis:
        shared = SharedRedis(redis.url, 20.0, while_away="away", patience_s=0.05)
        full, held, asked = asyncio.Event(), asyncio.Event(), 0

        async def slow() -> str:
            nonlocal asked
            asked += 1
            if asked == 16:
                full.set()
            await held.wait()
            return "answered"

        busy = [asyncio.create_task(shared.ask(slow)) for _ in range(16)]
        await full.wait()
        with pytest.raises(RedisBusyError):
            await shared.ask(slow)
        assert asked == 16
        held.set()
        assert await asyncio.gather(*busy, shared.ask(slow)) == ["answered"] * 17
        await shared.close()


async def test_without_its_redis_a_process_knows_its_own_tokens() -> None:
    away = SharedTokens(f"redis://127.0.0.1:{free_port()}/0", 0.5)
    await away.use(EHR, "a", time.time() + 300)
    with pytest.raises(TokenRefusedError, match="shown before"):
        await away.use(EHR, "a", time.time() + 300)
    await away.close()


def test_the_memory_of_tokens_is_bounded_and_forgets() -> None:
    now = [1000.0]
    seen = SeenTokens(3, now=lambda: now[0])
    for name in "abc":
        seen.note(EHR, name, until=1300.0)
    for name in ("a", "d"):  # shown before; no room
        with pytest.raises(TokenRefusedError):
            seen.note(EHR, name, until=1300.0)
    now[0] = 1301.0
    for name in "def":
        seen.note(EHR, name, until=1600.0)
    assert len(seen) == 3
    # The same id of another issuer is another token, however the two are written.
    now[0] = 2000.0
    seen.note("https://a", "bc", until=2300.0)
    seen.note("https://ab", "c", until=2300.0)
