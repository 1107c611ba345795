"""Rewards from a real server: all at once, masked where the network fails, and an end where it fails too often."""

from __future__ import annotations

import asyncio
import json
import math
import selectors
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prompt4trust.prompts import load_template
from prompt4trust.questions import Question
from prompt4trust.rewards import INVALID_LOG_SCORE, get_reward
from services.common.clients import http_pool
from services.common.clients.http_pool import HttpPool, NotConnectedError
from services.trainer.errors import TooManyLostError
from services.trainer.grpo.config.training_config import AnswerConfig
from services.trainer.grpo.connection import Connection, open_client
from services.trainer.grpo.learning.reward_function import DownstreamReward
from services.trainer.grpo.scoring import GuidedOutcome, Scorer
from tests.support.openai_app import Reply, ScriptedServer
from tests.support.servers import running

RIGHT = "The answer is A with confidence 80."


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Question]:
    folder = tmp_path_factory.mktemp("pictures")
    found = {}
    for i in range(8):
        Image.new("L", (8, 8), i).save(folder / f"{i}.png")
        found[f"q{i}"] = Question(f"q{i}", f"Number {i}?", {"A": "x", "B": "y"}, "A", folder / f"{i}.png")
    return found


@asynccontextmanager
async def rewarding(
    server: ScriptedServer,
    questions: dict[str, Question],
    *,
    max_in_flight: int = 64,
    max_lost_share: float = 0.5,
    lost_window: int = 100,
    deadline_s: float = 10.0,
    attempts: int = 1,
) -> AsyncIterator[tuple[Callable[..., object], list[Sequence[GuidedOutcome]]]]:
    answer = AnswerConfig(max_in_flight=max_in_flight, deadline_s=deadline_s, attempts=attempts)
    with running(server.app) as url:
        connection = Connection(
            url=f"{url}/v1", model="scripted", template="answer-compact@1", registry=Path("none"), data=Path("none")
        )
        http, client = open_client(connection, answer, None)
        template = load_template("answer-compact@1")
        scorer = Scorer(client, template, answer.sampling(), get_reward("log_score"), max_in_flight)
        seen: list[Sequence[GuidedOutcome]] = []
        async with http:
            yield (
                DownstreamReward(
                    scorer,
                    questions,
                    lambda outcomes, *_: seen.append(outcomes),
                    max_lost_share=max_lost_share,
                    lost_window=lost_window,
                ),
                seen,
            )


def batch(texts: Sequence[str]) -> dict[str, object]:
    """Completions as TRL hands them over, several of each question."""
    return {
        "prompts": [[] for _ in texts],
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
        "question_id": [f"q{place // 8 % 8}" for place in range(len(texts))],
        "log_metric": None,
    }


async def test_a_batch_is_in_flight_at_once(questions: dict[str, Question]) -> None:
    server = ScriptedServer(lambda _: RIGHT, delay_s=0.3)
    async with rewarding(server, questions) as (reward, _):
        rewards = await reward(**batch([f"Hint {i}." for i in range(64)]))  # type: ignore[misc]
    assert rewards == [pytest.approx(math.log(0.8))] * 64
    assert server.most_in_flight == 64
    assert len({body["messages"][-1]["content"][0]["image_url"]["url"] for body in server.bodies}) == 8
    assert sum("Hint 13." in prompt for prompt in server.prompts) == 1


async def test_what_is_in_flight_is_bounded(questions: dict[str, Question]) -> None:
    server = ScriptedServer(lambda _: RIGHT, delay_s=0.02)
    async with rewarding(server, questions, max_in_flight=5) as (reward, _):
        await reward(**batch(["Look."] * 24))  # type: ignore[misc]
    assert server.most_in_flight == 5


async def test_outcomes_of_the_model_are_scored_and_failures_of_the_network_are_not(
    questions: dict[str, Question],
) -> None:
    def script(prompt: str) -> Reply:
        replies: dict[str, Reply] = {"wrong": "The answer is B with confidence 80.", "mute": "Hm.", "away": 503}
        return next((reply for word, reply in replies.items() if word in prompt), RIGHT)

    async with rewarding(ScriptedServer(script), questions) as (reward, seen):
        rewards = await reward(**batch(["good", "wrong", "mute", "away"]))  # type: ignore[misc]
    assert rewards == [
        pytest.approx(math.log(0.8)),
        pytest.approx(math.log(0.2) - 1),
        pytest.approx(INVALID_LOG_SCORE),
        None,
    ]
    lost = seen[0][3]
    assert lost.verdict is None
    assert lost.lost is not None
    assert "503" in lost.lost


async def test_a_service_that_comes_back_is_waited_for(questions: dict[str, Question]) -> None:
    server = ScriptedServer()
    server.script = lambda _: 503 if len(server.prompts) <= 6 else RIGHT
    async with rewarding(server, questions, attempts=20) as (reward, _):
        rewards = await reward(**batch(["Look."] * 4))  # type: ignore[misc]
    assert rewards == [pytest.approx(math.log(0.8))] * 4


async def test_a_reply_that_never_comes_is_masked_at_the_deadline(questions: dict[str, Question]) -> None:
    server = ScriptedServer(lambda prompt: None if "slow" in prompt else RIGHT)
    async with rewarding(server, questions, deadline_s=2.0) as (reward, _):
        rewards = await reward(**batch(["slow", "quick"]))  # type: ignore[misc]
    assert rewards == [None, pytest.approx(math.log(0.8))]


async def test_too_many_lost_end_the_run(questions: dict[str, Question]) -> None:
    server = ScriptedServer(lambda prompt: 500 if "bad" in prompt else RIGHT)
    async with rewarding(server, questions, max_lost_share=0.2, lost_window=20) as (reward, _):
        await reward(**batch(["bad"] * 4 + ["good"] * 4))  # type: ignore[misc]
        with pytest.raises(TooManyLostError, match=r"5 of the last 10 .*1 x downstream: it replied with status 500"):
            await reward(**batch(["bad", "good"]))  # type: ignore[misc]


async def test_a_batch_of_which_nothing_is_left_ends_the_run(questions: dict[str, Question]) -> None:
    async with rewarding(ScriptedServer(lambda _: 500), questions, lost_window=1000) as (reward, _):
        with pytest.raises(TooManyLostError, match="8 of the last 8"):
            await reward(**batch(["x"] * 8))  # type: ignore[misc]


# --- Away for longer than a test can wait -----------------------------------------------------------------------------


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock leaps over every pause, so that minutes pass at once."""

    def __init__(self) -> None:
        super().__init__(selectors.DefaultSelector())
        self.now = 0.0
        selector: Any = self._selector  # type: ignore[attr-defined]
        wait = selector.select

        def leap(timeout: float | None = None) -> Any:
            ready = wait(timeout if timeout is None else 0)  # without a timer something else is waited for: a thread
            if not ready and timeout:
                self.now += timeout
            return ready

        selector.select = leap

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize("away_s", [60, 170, 600])
def test_the_settings_as_they_come_wait_three_minutes(
    questions: dict[str, Question], monkeypatch: pytest.MonkeyPatch, away_s: float
) -> None:
    tries: list[float] = []

    async def network(_: HttpPool, path: str, body: bytes, headers: Mapping[str, str]) -> http_pool.Reply:
        tries.append(asyncio.get_running_loop().time())
        if tries[-1] < away_s:
            raise NotConnectedError("the connection failed")
        message = {"role": "assistant", "content": RIGHT}
        return http_pool.Reply(200, {}, json.dumps({"choices": [{"index": 0, "message": message}]}).encode())

    async def score() -> list[float | None]:
        answer = AnswerConfig()
        connection = Connection(
            url="http://127.0.0.1:1/v1", model="m", template="answer-compact@1", registry=Path(), data=Path()
        )
        http, client = open_client(connection, answer, None)
        scorer = Scorer(client, load_template("answer-compact@1"), answer.sampling(), get_reward("log_score"), 64)
        limits = {"max_lost_share": answer.max_lost_share, "lost_window": answer.lost_window}
        async with http:
            reward = DownstreamReward(scorer, questions, lambda *_: None, **limits)  # type: ignore[arg-type]
            return await reward(**batch(["Look."] * 16))  # type: ignore[arg-type]

    monkeypatch.setattr(HttpPool, "post", network)
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        if away_s < 180:
            assert runner.run(score()) == [pytest.approx(math.log(0.8))] * 16
            assert away_s <= tries[-1] < away_s + 6  # the longest pause, 5 s, and what chance adds
        else:
            with pytest.raises(TooManyLostError, match=r"16 of the last 16 .*the connection failed"):
                runner.run(score())
            assert tries[-1] < 180
