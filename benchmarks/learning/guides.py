"""Ways of guiding that are compared: no guidance, one fixed hint for all, policies, and hints that know the family."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.recipe.data.hints import HINT_FAMILIES, evidence, recognise, relation, sample_hint
from prompt4trust.questions import Question
from services.common.registry.policy_template import read_policy_template
from services.trainer.grpo.checkpoints.policy_files import run_policy
from services.trainer.grpo.scoring import GuidedOutcome, Scorer

_WORDINGS = 3
_MAX_TOKENS = 48


async def written(directory: Path, questions: Sequence[Question]) -> list[str]:
    """Let a policy write its greedy guidance for each question.

    Args:
        directory: The policy, in Hugging Face layout with its prompt.json.
        questions: What it is asked.
    """
    template = read_policy_template(directory)
    async with run_policy(
        directory, template, _MAX_TOKENS, device="cpu", max_waiting=max(256, len(questions))
    ) as policy:
        found = await asyncio.gather(*(policy.guide(question.text, question.options) for question in questions))
    return [guidance.text for guidance in found]


def candidates(seed: int) -> list[str]:
    """List hints that could be said to every question: several wordings of every kind that training drew from."""
    rng = random.Random(seed)
    return [sample_hint(rng, family) for family in HINT_FAMILIES if family != "none" for _ in range(_WORDINGS)]


async def best_fixed(scorer: Scorer, questions: Sequence[Question], seed: int) -> tuple[str, list[dict[str, object]]]:
    """Choose the hint that earns most when it is said to every question.

    Args:
        scorer: Asks the downstream model.
        questions: Of the validation split.
        seed: Of the candidates' wording.

    Returns:
        The hint, and every candidate with its mean reward, the best first.
    """
    tried: list[dict[str, object]] = []
    for hint in candidates(seed):
        outcomes = await scorer.score([(question, hint) for question in questions])
        reward = float(np.mean([each.reward for each in outcomes if each.reward is not None]))
        tried.append({"hint": hint, "kind": recognise(hint), "reward": round(reward, 4)})
    tried.sort(key=lambda each: -float(str(each["reward"])))
    return str(tried[0]["hint"]), tried


def knowing(questions: Sequence[Question], seed: int) -> list[str]:
    """Word a hint that fits each question's family, in wordings kept out of every training: a ceiling, no policy."""
    rng = random.Random(seed)
    return [sample_hint(rng, evidence(question.groups["family"]), "held_out") for question in questions]


def shares(outcomes: Sequence[GuidedOutcome]) -> dict[str, float]:
    """Share of hints by what they are to their question: fitting, of another family, a generic kind, or unknown."""
    counts = Counter(relation(outcome.guidance, outcome.question.groups["family"]) for outcome in outcomes)
    return {kind: round(count / len(outcomes), 4) for kind, count in counts.most_common()}
