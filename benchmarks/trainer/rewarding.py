"""The rewards of a batch: a plain loop's, one request after another, beside the trainer's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.engine.servers import ROOT, Contender
from benchmarks.trainer.report import Timing
from prompt4trust.datasets import load_dataset
from prompt4trust.datasets.phantoms import generate
from prompt4trust.picture_files import data_url
from prompt4trust.prompts import answer_messages, load_template
from prompt4trust.questions import Question
from prompt4trust.rewards import get_reward
from prompt4trust.verdict import parse_verdict
from services.common.clients.http_pool import HttpPool
from services.common.registry.policy_template import read_policy_template
from services.trainer.grpo.checkpoints.policy_files import run_policy
from services.trainer.grpo.config.training_config import AnswerConfig
from services.trainer.grpo.connection import Connection, open_client
from services.trainer.grpo.learning.reward_function import DownstreamReward
from services.trainer.grpo.learning.training_data import by_id
from services.trainer.grpo.scoring import Scorer

TEMPLATE, REWARD = "answer-compact@1", "log_score"
POLICY = ROOT / "models" / "policy-mini-sft-1"
_MAX_TOKENS = 64

Batch = Sequence[tuple[Question, str]]
"""Questions, each with a guidance prompt to try."""


async def batches(count: int, size: int, generations: int, work: Path) -> list[Batch]:
    """Let the shipped policy write guidance as it does in training: several samples of each question.

    Args:
        count: How many batches, each with questions of its own.
        size: Completions of a batch.
        generations: Completions of a question.
        work: Where pictures may be put.
    """
    per_batch = size // generations
    place = generate(work / f"phantoms-{size}", per_batch * count, seed=77, split="validation")
    questions = load_dataset(place).questions
    template = read_policy_template(POLICY)
    async with run_policy(POLICY, template, 48, device="cpu", max_waiting=size * count) as policy:
        written = await asyncio.gather(
            *(
                policy.guide(question.text, question.options, seed=seed)
                for question in questions
                for seed in range(generations)
            )
        )
    pairs = [
        (question, written[place * generations + seed].text)
        for place, question in enumerate(questions)
        for seed in range(generations)
    ]
    return [pairs[first : first + size] for first in range(0, len(pairs), size)]


def measure(server: Contender, asked: Sequence[Batch], in_flight: int) -> list[Timing]:
    """Score each batch both ways, in turns.

    Args:
        server: The downstream service.
        asked: The batches; the first one warms up and does not count.
        in_flight: The trainer's bound of requests at once.

    Returns:
        One timing a batch.

    Raises:
        AssertionError: If the two ways do not give the same rewards.
    """
    timings = []
    with asyncio.Runner() as runner, httpx.Client(base_url=server.url, timeout=120, trust_env=False) as plain:
        http, reward = runner.run(_reward(server, asked, in_flight))
        for number, batch in enumerate(asked):
            taken: dict[str, float] = {}
            rewards: dict[str, list[float | None]] = {}
            # Turns change places, so that neither always runs while the machine is at its best.
            for way in ("loop", "ours") if number % 2 else ("ours", "loop"):
                began = time.perf_counter()
                if way == "loop":
                    rewards[way] = _loop(plain, server.model, batch)
                else:
                    completions = [[{"role": "assistant", "content": guidance}] for _, guidance in batch]
                    rewards[way] = runner.run(reward(completions, [question.id for question, _ in batch]))
                taken[way] = time.perf_counter() - began
            assert rewards["loop"] == rewards["ours"], "the two ways do not give the same rewards"
            if number:
                timings.append(Timing(taken["loop"], taken["ours"]))
        runner.run(http.aclose())
    return timings


async def _reward(server: Contender, asked: Sequence[Batch], in_flight: int) -> tuple[HttpPool, DownstreamReward]:
    answer = AnswerConfig(max_tokens=_MAX_TOKENS, max_in_flight=in_flight)
    connection = Connection(url=server.url, model=server.model, template=TEMPLATE, registry=Path(), data=Path())
    http, client = open_client(connection, answer, None)
    scorer = Scorer(client, load_template(TEMPLATE), answer.sampling(), get_reward(REWARD), in_flight)
    questions = by_id([question for batch in asked for question, _ in batch])
    return http, DownstreamReward(scorer, questions, lambda *_: None, max_lost_share=0, lost_window=1)


def _loop(http: httpx.Client, model: str, batch: Batch) -> list[float | None]:
    template, reward = load_template(TEMPLATE), get_reward(REWARD)
    rewards: list[float | None] = []
    for question, guidance in batch:
        assert question.image is not None
        url = data_url(question.image)
        messages = answer_messages(template, question.text, question.options, image_url=url, guidance=guidance)
        body = {"model": model, "messages": messages, "n": 1, "temperature": 0.0, "top_p": 1.0}
        reply = http.post("/chat/completions", json={**body, "max_tokens": _MAX_TOKENS}).raise_for_status().json()
        verdict = parse_verdict(reply["choices"][0]["message"]["content"], question.options, question=question.text)
        rewards.append(reward(verdict, question.answer or ""))
    return rewards
