"""A trained policy's answers on held-out questions, guided as it is served and as it was sampled in training."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.confidence.kept_calls import KeptCalls
from benchmarks.rewards.runs import DOWNSTREAM, TEMPLATE
from prompt4trust.models import Sampling
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question
from prompt4trust.rewards import get_reward
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.common.registry.policy_template import read_policy_template
from services.trainer.grpo.checkpoints.policy_files import run_policy
from services.trainer.grpo.scoring import GuidedOutcome, Scorer, reasons

GREEDY, SAMPLED = "greedy", "sampled"
WAYS = (GREEDY, SAMPLED)
"""Greedy guidance is what the policy service serves; guidance sampled at temperature 1 is what rewards act on."""
YARDSTICK = "log_score"
"""The reward that all policies are measured by, whatever they were trained by."""
_MAX_TOKENS, _IN_FLIGHT = 48, 64


async def outcomes(
    directory: Path, way: str, questions: Sequence[Question], url: str, calls: Path
) -> list[GuidedOutcome]:
    """Have a policy guide the downstream model through questions.

    Args:
        directory: The policy, in Hugging Face layout with its prompt.json.
        way: One of `WAYS`; sampled guidance has the question's place as its seed.
        questions: The questions.
        url: Base URL of the downstream service, with /v1.
        calls: File of its replies: two policies that give a question the same guidance share the reply.

    Returns:
        One outcome a question, in order.

    Raises:
        RuntimeError: If an answer was lost to the network.
    """
    template = read_policy_template(directory)
    async with run_policy(
        directory, template, _MAX_TOKENS, device="cpu", max_waiting=max(256, len(questions))
    ) as policy:
        written = await asyncio.gather(
            *(
                policy.guide(each.text, each.options, seed=place if way == SAMPLED else None)
                for place, each in enumerate(questions)
            )
        )
    async with HttpPool(url, max_connections=_IN_FLIGHT) as http:
        client = DownstreamClient(http, DOWNSTREAM, RetrySettings(deadline_s=120))
        with KeptCalls(client, calls) as kept:
            scorer = Scorer(kept, load_template(TEMPLATE), Sampling(max_tokens=64), get_reward(YARDSTICK), _IN_FLIGHT)
            found = await scorer.score([(each, hint.text) for each, hint in zip(questions, written, strict=True)])
    if any(each.reward is None for each in found):
        raise RuntimeError(f"answers were lost to the network: {reasons(found)}")
    return found
