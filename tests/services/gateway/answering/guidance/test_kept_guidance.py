"""Guidance that the gateway keeps: for the same question alone, and only while its version is the live one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest

from prompt4trust.models import Cost, Guidance, TransportError
from services.common.clients.http_pool import HttpPool
from services.gateway.answering.guidance.kept_guidance import KeptGuidance, LiveVersion
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.waiting import until, wait_until

QUESTION, OPTIONS = "Which side?", {"A": "Left", "B": "Right"}
NOWHERE = HttpPool("http://127.0.0.1:9")


class Policy:
    """Numbers what it writes; away where it has no version."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.version: str | None = "policy-1"
        self.length = 0
        self.asked: list[tuple[str, tuple[str, ...], int | None]] = []

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        self.asked.append((question, tuple(options), seed))
        if self.version is None:
            raise TransportError("policy", "it is away")
        text = f"hint {len(self.asked)}" + "!" * self.length
        return Guidance(text, self.version, Cost(1, 40, 20, 0.5))


def kept(policy: Policy, most: int = 10) -> tuple[KeptGuidance, LiveVersion]:
    live = LiveVersion(NOWHERE, 1.0, clock=lambda: policy.now)
    return KeptGuidance(policy, live, most, clock=lambda: policy.now), live


async def texts(guidance: KeptGuidance, *questions: str) -> list[str]:
    return [(await guidance.guide(each, OPTIONS)).text for each in questions]


async def test_the_same_question_is_not_asked_again_and_costs_no_tokens() -> None:
    policy = Policy()
    guidance, _ = kept(policy)
    first, second = [await guidance.guide(QUESTION, OPTIONS) for _ in range(2)]
    assert (first.text, first.version) == (second.text, second.version)
    assert (first.cost, second.cost) == (Cost(1, 40, 20, 0.5), Cost(1))
    assert len(policy.asked) == 1


async def test_another_question_other_letters_and_samples_are_asked_for() -> None:
    policy = Policy()
    guidance, _ = kept(policy)
    swapped = {"B": "Right", "A": "Left"}
    await texts(guidance, QUESTION, "Another?")
    await guidance.guide(QUESTION, swapped)
    assert (await guidance.guide(QUESTION, OPTIONS, seed=3)).text == "hint 4"
    assert [letters for _, letters, _ in policy.asked] == [("A", "B"), ("A", "B"), ("B", "A"), ("A", "B")]
    assert (await guidance.guide(QUESTION, swapped)).text == "hint 3"


async def test_another_version_that_a_reply_tells_of_ends_what_was_kept() -> None:
    policy = Policy()
    guidance, _ = kept(policy)
    await texts(guidance, QUESTION)
    policy.version = "policy-2"
    await texts(guidance, "Another?")  # its reply is the first to tell
    changed = await guidance.guide(QUESTION, OPTIONS)
    assert (changed.text, changed.version) == ("hint 3", "policy-2")
    assert await texts(guidance, QUESTION) == ["hint 3"]


async def test_what_nobody_has_confirmed_for_two_looks_is_asked_for() -> None:
    policy = Policy()
    guidance, live = kept(policy)
    await texts(guidance, QUESTION)
    policy.now += 2.0
    assert await texts(guidance, QUESTION) == ["hint 1"]
    policy.now += 0.1
    assert await texts(guidance, QUESTION) == ["hint 2"]
    policy.now += 1.9
    live.note("policy-1", policy.now)
    policy.now += 1.9
    assert await texts(guidance, QUESTION) == ["hint 2"]


async def test_a_policy_that_is_away_has_no_live_version() -> None:
    policy = Policy()
    guidance, live = kept(policy)
    await texts(guidance, QUESTION)
    policy.version = None
    live.note(None, policy.now)
    with pytest.raises(TransportError, match="away"):
        await guidance.guide(QUESTION, OPTIONS)


async def test_older_news_does_not_count() -> None:
    live = kept(Policy())[1]
    live.note("policy-2", 1000.0)
    live.note("policy-1", 999.0)  # a slow reply of the version before
    assert (live.is_live("policy-1"), live.is_live("policy-2")) == (False, True)


async def test_what_is_kept_is_bounded_in_number_length_and_time() -> None:
    policy = Policy()
    guidance, live = kept(policy, most=2)
    await texts(guidance, "one", "two", "three")
    assert len(guidance) == 2
    assert await texts(guidance, "three", "one") == ["hint 3", "hint 4"]
    policy.length = 4_001
    await texts(guidance, "four")
    assert len(guidance) == 2
    policy.length, policy.now = 0, policy.now + 301.0
    live.note("policy-1", policy.now)
    assert await texts(guidance, "one") == ["hint 6"]


# --- Following the policy service -----------------------------------------------------------------------------------


@asynccontextmanager
async def following(upstream_url: str) -> AsyncIterator[LiveVersion]:
    async with HttpPool(upstream_url) as http:
        live = LiveVersion(http, 0.02)
        task = asyncio.create_task(live.follow())
        try:
            yield live
        finally:
            task.cancel()


async def test_the_live_version_is_looked_up_while_somebody_wants_to_know(
    upstream_server: tuple[Upstream, str], upstream: Upstream
) -> None:
    async with following(upstream_server[1]) as live:
        await until(lambda: live.is_live("policy-1"))
        upstream.version = "policy-2"
        await until(lambda: live.is_live("policy-2"))
        assert not live.is_live("policy-1")
        upstream.policy = 500
        await until(lambda: not live.is_live("policy-2"))


# --- Over HTTP ------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(make_gateway: MakeGateway) -> Iterator[httpx.Client]:
    # Looks so rare that none comes in between: replies alone tell of versions, but for the last test.
    with make_gateway(kept_guidance=10, policy_check_s=60.0) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def sources(client: httpx.Client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    found = [line.split() for line in lines if line.startswith("gateway_guidance_total{")]
    return {name.split('"')[1]: float(value) for name, value in found}


def test_an_answer_with_kept_guidance_is_the_same_but_for_its_cost(client: httpx.Client, upstream: Upstream) -> None:
    first, second = [client.post("/vqa", json=body()).raise_for_status().json() for _ in range(2)]
    assert len(upstream.guided) == 1
    assert upstream.asked[0] == upstream.asked[1]
    own = ("id", "timing_ms", "usage")
    assert {**first, **dict.fromkeys(own)} == {**second, **dict.fromkeys(own)}
    assert second["usage"]["calls"] == first["usage"]["calls"]
    assert sources(client) == {"asked": 1.0, "kept": 1.0}


def test_guidance_is_never_told_as_another_versions(make_gateway: MakeGateway, upstream: Upstream) -> None:
    settings = {"kept_guidance": 10, "policy_check_s": 0.05}
    with make_gateway(**settings) as url, httpx.Client(base_url=url, timeout=20) as client:

        def told() -> tuple[str, str]:
            reply = client.post("/vqa", json=body()).raise_for_status().json()
            return reply["guidance_prompt"], reply["models"]["policy"]

        old, new = ("Weigh the border.", "policy-1"), ("Compare both sides.", "policy-2")
        assert told() == old
        upstream.guidance, upstream.version = new
        seen = [told()]
        wait_until(lambda: seen.append(told()) or seen[-1] == new)  # type: ignore[func-returns-value]
        assert set(seen) <= {old, new}
