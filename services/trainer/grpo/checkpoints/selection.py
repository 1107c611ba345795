"""Trial of a policy on the validation split as it would be served, its figures, and the place of the best one."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prompt4trust.files import write_atomically
from prompt4trust.metrics import summarize
from prompt4trust.metrics.summary import METRICS
from prompt4trust.prompts import PromptTemplate
from prompt4trust.questions import Question
from services.trainer.errors import TooManyLostError
from services.trainer.grpo.checkpoints.policy_files import EnginePolicy, run_policy
from services.trainer.grpo.journal import describe
from services.trainer.grpo.scoring import GuidedOutcome, Scorer, reasons

BEST = "best"
_ASIDE = f".{BEST}-before"
_REPORTED = ("accuracy", "mean_confidence", "ece", "brier", "nll", "auroc", "confident_error_share")


async def try_policy(
    directory: Path,
    template: PromptTemplate,
    questions: Sequence[Question],
    scorer: Scorer,
    *,
    max_tokens: int,
    device: str,
) -> list[GuidedOutcome]:
    """Let a policy write greedy guidance for questions, and try it on the downstream service.

    Args:
        directory: The policy, in Hugging Face layout.
        template: Its wording.
        questions: The questions.
        scorer: Asks the downstream model.
        max_tokens: Longest guidance prompt.
        device: Device that the policy runs on.

    Returns:
        One outcome a question, in order.
    """
    async with run_policy(
        directory, template, max_tokens, device=device, max_waiting=max(256, len(questions))
    ) as policy:
        guidance = await asyncio.gather(*(_guide(policy, question) for question in questions))
    return await scorer.score(list(zip(questions, guidance, strict=True)))


async def _guide(policy: EnginePolicy, question: Question) -> str:
    return (await policy.guide(question.text, question.options)).text


def judge(outcomes: Sequence[GuidedOutcome], *, max_lost_share: float, resamples: int, seed: int) -> dict[str, Any]:
    """Compute a policy's figures.

    Args:
        outcomes: Of the validation questions.
        max_lost_share: Most that may have been lost to the network.
        resamples: Bootstrap resamples.
        seed: Of the resampling.

    Returns:
        {"n", "masked", "metrics": name -> {"value", "low", "high"}}: the mean reward and the metrics over all rows, an
        invalid reply counting as wrong with confidence 0; intervals are of 95 %.

    Raises:
        TooManyLostError: If too many were lost for the figures to mean anything.
    """
    asked = [each for each in outcomes if each.reward is not None]
    lost = len(outcomes) - len(asked)
    if not asked or lost > max_lost_share * len(outcomes):
        raise TooManyLostError(
            f"{lost} of {len(outcomes)} validation questions could not be scored ({reasons(outcomes)})"
        )
    summary = summarize(
        [each.confidence for each in asked],
        [each.correct for each in asked],
        [each.valid for each in asked],
        resamples=resamples,
        seed=seed,
        metrics={name: METRICS[name] for name in _REPORTED},
    )["all"]
    metrics = {"reward": _mean_interval([each.reward or 0.0 for each in asked], resamples, seed)}
    for name, interval in summary.items():
        metrics[name] = {"value": interval.value, "low": interval.low, "high": interval.high}
    rounded = {name: {key: _rounded(value) for key, value in each.items()} for name, each in metrics.items()}
    return {"n": len(asked), "masked": lost, "metrics": rounded}


def write_outcomes(path: Path, outcomes: Sequence[GuidedOutcome]) -> None:
    """Write the answers on the validation split, one JSON line a question."""
    write_atomically(path, "".join(json.dumps(describe(each), ensure_ascii=False) + "\n" for each in outcomes))


def find_best(folder: Path) -> Path:
    """Name the best policy's place; where a kill fell between the two moves of keep_best, the former best is put back.

    Args:
        folder: The run's folder.

    Returns:
        The place, whether there is a best policy or not.
    """
    place, aside = folder / BEST, folder / _ASIDE
    if aside.exists() and not place.exists():
        aside.rename(place)
    return place


def keep_best(exported: Path, folder: Path) -> None:
    """Put an exported policy in the best one's place.

    Args:
        exported: Its directory; it is moved.
        folder: The run's folder.
    """
    place, aside = find_best(folder), folder / _ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    if place.exists():
        place.rename(aside)
    exported.rename(place)
    shutil.rmtree(aside, ignore_errors=True)


def _mean_interval(values: Sequence[float], resamples: int, seed: int) -> dict[str, float]:
    drawn = np.asarray(values)
    rng = np.random.default_rng(seed)
    means = np.array([drawn[rng.integers(0, len(drawn), len(drawn))].mean() for _ in range(resamples)])
    low, high = np.quantile(means, [0.025, 0.975])
    return {"value": float(drawn.mean()), "low": float(low), "high": float(high)}


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
