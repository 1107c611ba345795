"""The downstream model reads picture and question while the policy writes: when, what, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from prompt4trust.models import Cost, Generation, Guidance, Sampling
from prompt4trust.pictures import PictureLimits, PreparedPicture, prepare_picture
from prompt4trust.prompts import Message, load_answer_template
from prompt4trust.shift import Described
from services.gateway.admission.adaptive_limit import FixedLimit
from services.gateway.admission.gate import Gate
from services.gateway.answering.guidance.guidance_ahead import GuidanceAhead
from services.gateway.answering.guidance.prefix_warming import WRITING_S, PrefixWarming
from services.gateway.intake.later import Later
from services.gateway.intake.query import Query
from services.gateway.question_schemas import Ask
from services.gateway.settings import GatewaySettings
from tests.services.gateway.checks import body, said
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.upstream import Upstream
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def warm_url(make_gateway: MakeGateway) -> Iterator[str]:
    with make_gateway(warm_prefix="near", downstream_failures=1, downstream_pause_s=60.0) as url:
        yield url


def post(url: str, **changes: Any) -> httpx.Response:
    return httpx.post(f"{url}/vqa", json=body(**changes), timeout=20)


def ahead_of_answers(upstream: Upstream) -> list[dict[str, Any]]:
    return [each for each in upstream.asked if each["max_tokens"] == 1]


def text_of(asked: dict[str, Any]) -> str:
    *_, part = asked["messages"][-1]["content"]
    return str(part["text"])


def count(url: str, outcome: str) -> int:
    line = f'gateway_prefix_warmings_total{{outcome="{outcome}"}} '
    return sum(
        int(float(each[len(line) :])) for each in httpx.get(f"{url}/metrics").text.splitlines() if each.startswith(line)
    )


def test_the_model_reads_the_answers_own_prompt_up_to_the_guidance(warm_url: str, upstream: Upstream) -> None:
    upstream.policy = "held"
    before = count(warm_url, "read")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(post, warm_url)
        wait_until(lambda: count(warm_url, "read") == before + 1)
        upstream.release.set()
        reply = asking.result().raise_for_status().json()
    ahead, answer = upstream.asked
    assert (ahead["max_tokens"], ahead.get("logprobs")) == (1, None)
    assert ahead["messages"][-1]["content"][:-1] == answer["messages"][-1]["content"][:-1]  # the picture
    shared = text_of(answer).split("Guidance: ")[0]
    assert len(shared) > 20
    assert text_of(ahead).startswith(shared)
    assert upstream.guidance in text_of(answer)
    assert upstream.guidance not in text_of(ahead)
    assert said(reply) is not None
    assert reply["degraded"] == []


def test_a_model_that_fails_then_is_no_reason_to_leave_it_alone(warm_url: str, upstream: Upstream) -> None:
    upstream.policy, upstream.downstream = "held", 500
    before = count(warm_url, "failed")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(post, warm_url)
        wait_until(lambda: count(warm_url, "failed") == before + 1)
        assert len(upstream.asked) == 1  # once, and not again
        upstream.downstream = "reply"
        upstream.release.set()
        assert said(asking.result().raise_for_status().json()) is not None


def test_it_ends_with_the_question(warm_url: str, upstream: Upstream) -> None:
    upstream.policy, upstream.downstream = "held", "hang"
    before = count(warm_url, "given up")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(httpx.post, f"{warm_url}/vqa", json=body(), headers={"Prefer": "wait=1"}, timeout=20)
        wait_until(lambda: len(ahead_of_answers(upstream)) == 1)
        assert asking.result().status_code == httpx.codes.GATEWAY_TIMEOUT
    assert upstream.hung_up.wait(10)
    assert count(warm_url, "given up") == before + 1
    upstream.release.set()


def test_a_method_without_guidance_has_nothing_read(warm_url: str, upstream: Upstream) -> None:
    post(warm_url, method="verbalized").raise_for_status()
    assert len(upstream.asked) == 1
    assert ahead_of_answers(upstream) == []


def test_by_default_nothing_is_read(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.policy = "held"
    with (
        make_gateway(warm_prefix=GatewaySettings.model_fields["warm_prefix"].default) as url,
        ThreadPoolExecutor(1) as pool,
    ):
        asking = pool.submit(post, url)
        assert upstream.arrived.acquire(timeout=20)
        # The gateway answers other requests meanwhile, so that there was time to ask the model.
        post(url, method="verbalized").raise_for_status()
        upstream.release.set()
        asking.result().raise_for_status()
    assert ahead_of_answers(upstream) == []


# --- The parts, by a clock of the test's own --------------------------------------------------------------------------


class Policy:
    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        await self.go.wait()
        return Guidance("hint", "policy-1", Cost())


class Model:
    def __init__(self) -> None:
        self.asked: list[Sampling] = []

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        self.asked.append(sampling)
        return Generation([], Cost())


async def nothing() -> Mapping[str, Described]:
    return {}


def query() -> Query:
    prepared: PreparedPicture = prepare_picture(picture(), PictureLimits())
    ask = Ask.model_validate(
        {"question": "Which?", "options": {"A": "a", "B": "b"}, "method": "cgp"}, context={"methods": ("cgp",)}
    )
    return Query(ask, prepared, asyncio.ensure_future(nothing()), "1", False, None, 0.0)


@pytest.mark.parametrize(("writes", "room", "asked"), [(True, True, 1), (True, False, 0), (False, True, 0)])
async def test_it_is_for_guidance_that_is_being_written_and_a_model_with_room(
    writes: bool, room: bool, asked: int
) -> None:
    policy, model, now = Policy(), Model(), 100.0
    with Later() as later:
        ahead = GuidanceAhead(policy, later, lambda: now)
        wanted = query()
        ahead.begin(wanted.ask)
        warming = PrefixWarming(model, load_answer_template("answer-compact@1"), lambda: room)
        working = asyncio.ensure_future(warming.warm(wanted, ahead))
        if not writes:  # from the policy's cache: sooner than anything is begun
            policy.go.set()
        await working
    assert len(model.asked) == asked
    assert all(each == Sampling(max_tokens=1) for each in model.asked)


async def test_without_guidance_that_was_begun_nothing_is_waited_for() -> None:
    model = Model()
    with Later() as later:
        ahead = GuidanceAhead(Policy(), later, lambda: 0.0)
        await PrefixWarming(model, load_answer_template("answer-compact@1"), lambda: True).warm(query(), ahead)
    assert model.asked == []
    assert WRITING_S < 0.05


async def test_a_gate_has_slack_until_half_of_its_places_are_taken() -> None:
    gate, seen = Gate(FixedLimit(4), waiting=4), []
    async with gate.place("a"), gate.place("b"):
        seen.append(gate.is_slack)
        async with gate.place("c"):
            seen.append(gate.is_slack)
    assert [*seen, gate.is_slack] == [True, False, True]
