"""Guidance that is asked for while a picture is being decoded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest

from prompt4trust.models import Cost, Guidance, TransportError
from services.gateway.answering.guidance.guidance_ahead import GuidanceAhead
from services.gateway.intake.later import Later
from services.gateway.question_schemas import Ask
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.waiting import until

QUESTION, OPTIONS = "Which side?", {"A": "Left", "B": "Right"}


class Policy:
    """Answers when it is told to, by a clock that it moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[tuple[str, Mapping[str, str], int | None]] = []
        self.given_up = 0
        self.go = asyncio.Event()

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        self.asked.append((question, options, seed))
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.now < 0:
            raise TransportError("policy", "it is away")
        return Guidance(f"hint {len(self.asked)}", "policy-1", Cost())


@pytest.fixture
async def policy() -> Policy:
    return Policy()


@pytest.fixture
async def ahead(policy: Policy) -> AsyncIterator[GuidanceAhead]:
    with Later() as later:
        yield GuidanceAhead(policy, later, lambda: policy.now)


def ask(method: str = "cgp") -> Ask:
    fields: dict[str, Any] = {"question": QUESTION, "options": OPTIONS, "method": method}
    return Ask.model_validate(fields, context={"methods": ("cgp", "verbalized")})


async def test_what_was_begun_is_waited_for_and_not_asked_again(policy: Policy, ahead: GuidanceAhead) -> None:
    ahead.begin(ask())
    await until(lambda: len(policy.asked) == 1)
    policy.now = 2.0
    policy.go.set()
    assert (await ahead.guide(QUESTION, OPTIONS)).text == "hint 1"
    assert ahead.unwaited_s == 2.0
    assert policy.asked == [(QUESTION, OPTIONS, None)]
    assert (await ahead.guide(QUESTION, OPTIONS)).text == "hint 2"  # a second time it is another


async def test_a_call_that_has_ended_counts_until_its_end(policy: Policy, ahead: GuidanceAhead) -> None:
    ahead.begin(ask())
    policy.go.set()
    await until(lambda: len(policy.asked) == 1)
    await asyncio.sleep(0)
    policy.now = 60.0
    await ahead.guide(QUESTION, OPTIONS)
    assert ahead.unwaited_s == 0.0


async def test_a_call_that_is_waited_for_before_it_starts_counts_from_when_it_was_begun(policy: Policy) -> None:
    policy.now = 36_000.0  # a clock begins anywhere, seldom at 0
    policy.go.set()
    with Later() as later:
        ahead = GuidanceAhead(policy, later, lambda: policy.now)
        ahead.begin(ask())
        policy.now += 0.5
        assert ahead.waited_s == 0.5
        assert (await ahead.guide(QUESTION, OPTIONS)).text == "hint 1"
        assert ahead.unwaited_s == 0.5


@pytest.mark.parametrize(
    ("question", "options", "seed"),
    [("Another?", OPTIONS, None), (QUESTION, {"A": "Left"}, None), (QUESTION, OPTIONS, 3)],
)
async def test_other_guidance_than_was_begun_is_asked_for(
    policy: Policy, ahead: GuidanceAhead, question: str, options: Mapping[str, str], seed: int | None
) -> None:
    ahead.begin(ask())
    await until(lambda: len(policy.asked) == 1)
    policy.go.set()
    assert (await ahead.guide(question, options, seed=seed)).text == "hint 2"
    assert policy.asked[1] == (question, options, seed)
    assert ahead.unwaited_s == 0.0


async def test_a_failure_is_told_where_guidance_is_wanted(policy: Policy, ahead: GuidanceAhead) -> None:
    policy.now = -1.0
    policy.go.set()
    ahead.begin(ask())
    with pytest.raises(TransportError, match="away"):
        await ahead.guide(QUESTION, OPTIONS)


async def test_what_nobody_wants_ends_with_the_request(policy: Policy) -> None:
    with Later() as later:
        GuidanceAhead(policy, later, lambda: 0.0).begin(ask())
        await until(lambda: len(policy.asked) == 1)
    await until(lambda: policy.given_up == 1)


async def test_a_method_without_guidance_begins_none(policy: Policy, ahead: GuidanceAhead) -> None:
    ahead.begin(ask("verbalized"))
    policy.go.set()
    await ahead.guide(QUESTION, OPTIONS)
    assert len(policy.asked) == 1


# --- Over HTTP ------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(make_gateway: MakeGateway) -> Iterator[httpx.Client]:
    with make_gateway() as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def test_a_question_asks_the_policy_once(client: httpx.Client, upstream: Upstream) -> None:
    reply = client.post("/vqa", json=body()).raise_for_status().json()
    assert len(upstream.guided) == 1
    assert reply["timing_ms"]["policy"] > 0
    assert reply["timing_ms"]["policy"] + reply["timing_ms"]["downstream"] <= reply["timing_ms"]["total"] + 0.2


def test_a_file_that_does_not_begin_as_a_picture_asks_nobody(client: httpx.Client, upstream: Upstream) -> None:
    refused = client.post("/vqa", json={**body(), "image": "JVBERi0xLjc="})
    assert refused.status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
    assert (upstream.guided, upstream.asked) == ([], [])


def test_a_picture_that_is_refused_gives_the_policy_up(client: httpx.Client, upstream: Upstream) -> None:
    upstream.policy = "hang"
    refused = client.post("/vqa", json={**body(), "image": "iVBORw0KGgoAAAAN"})
    assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    if upstream.guided:  # the refusal may have been faster than the request to the policy
        assert upstream.hung_up.wait(10)
    assert upstream.asked == []
