"""Figures of trained policies: each seed's, those of all seeds together, and differences to the default reward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.learning.guides import shares
from benchmarks.rewards.runs import DEFAULT, START
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.calibration import accuracy_of
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics
from services.trainer.grpo.scoring import GuidedOutcome

Outcomes = Mapping[tuple[str, int], Sequence[GuidedOutcome]]
"""Variant and seed -> what became of the questions, in order."""
Trials = Mapping[str, Outcomes]
"""Way of guiding -> outcomes."""
FIGURES = ("ece", "brier", "auroc", "confident_error_share", "accuracy", "mean_confidence")
VALID = "valid"


def report(trials: Trials, resamples: int, seed: int = 0) -> dict[str, Any]:
    """Measure all policies on one split.

    Args:
        trials: Outcomes of the same questions, by way, variant and seed.
        resamples: Of the bootstrap, by question.
        seed: Of the bootstrap.

    Returns:
        Way -> variant -> {"n", "seeds", "hints": shares of hints by what they are to their question, "distinct": number
        of different hints, and by figure its value with interval over all seeds' answers and, under "by seed", each
        seed's value; and for all but the start and the default "less log_score": figure -> difference with interval,
        and each seed's}.

    Raises:
        ValueError: If two were asked different questions.
    """
    return {way: _of_way(outcomes, resamples, seed) for way, outcomes in trials.items()}


def _of_way(outcomes: Outcomes, resamples: int, seed: int) -> dict[str, Any]:
    if len({tuple(each.question.id for each in rows) for rows in outcomes.values()}) != 1:
        raise ValueError("not all were asked the same questions")
    seeds: dict[str, list[int]] = {}
    for name, number in outcomes:
        seeds.setdefault(name, []).append(number)
    alone = {run: figures(rows, resamples, seed) for run, rows in outcomes.items()}
    found = {}
    for name, numbers in seeds.items():
        rows = _all(outcomes, name, numbers)
        together = figures(rows, resamples, seed)
        found[name] = {
            "n": len(rows) // len(numbers),
            "seeds": len(numbers),
            "hints": shares(rows),
            "distinct": len({each.guidance for each in rows}),
            **{
                figure: {
                    **each.interval.as_json(),
                    "by seed": [_rounded(alone[name, number][figure].interval.value) for number in numbers],
                }
                for figure, each in together.items()
            },
        }
        if name not in {START, DEFAULT}:
            shared = [number for number in numbers if (DEFAULT, number) in outcomes]
            mine, theirs = (figures(_all(outcomes, side, shared), resamples, seed) for side in (name, DEFAULT))
            found[name][f"less {DEFAULT}"] = {
                figure: {
                    **metric_difference(mine[figure], theirs[figure]).as_json(),
                    "by seed": [_less(alone, name, number, figure) for number in shared],
                }
                for figure in mine
            }
    return found


def figures(outcomes: Sequence[GuidedOutcome], resamples: int, seed: int) -> dict[str, Sampled]:
    """Compute the figures over all rows; an invalid reply is a wrong one of confidence 0.

    Args:
        outcomes: Of one policy, or of several on the same questions: a question's answers are resampled together.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    ids = [each.question.id for each in outcomes]
    found = sampled_metrics(
        [each.confidence for each in outcomes],
        [each.correct for each in outcomes],
        {name: METRICS[name] for name in FIGURES},
        clusters=ids,
        resamples=resamples,
        seed=seed,
    )
    valid = [each.valid for each in outcomes]
    nothing = np.zeros(len(valid))
    measured = sampled_metrics(nothing, valid, {VALID: accuracy_of}, clusters=ids, resamples=resamples, seed=seed)
    return {**found, **measured}


def _less(
    alone: Mapping[tuple[str, int], Mapping[str, Sampled]], name: str, number: int, figure: str
) -> dict[str, float | None]:
    return metric_difference(alone[name, number][figure], alone[DEFAULT, number][figure]).as_json()


def _all(outcomes: Outcomes, name: str, numbers: Iterable[int]) -> list[GuidedOutcome]:
    return [each for number in numbers for each in outcomes[name, number]]


def _rounded(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
