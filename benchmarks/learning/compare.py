"""Figures of one way of guiding, and how two ways differ on the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prompt4trust.metrics import METRICS, summarize
from prompt4trust.metrics.tally import Tally
from services.trainer.grpo.scoring import GuidedOutcome

RESAMPLES = 1000
_REPORTED = ("accuracy", "mean_confidence", "ece", "brier", "auroc", "confident_error_share", "confident_error_count")


def figures(outcomes: Sequence[GuidedOutcome], seed: int) -> dict[str, Any]:
    """Compute reward and metrics over all rows with 95 % intervals; an invalid reply is a wrong one.

    Args:
        outcomes: Of the questions, in order.
        seed: Of the resampling.

    Returns:
        {"n", "valid_rate", name -> {"value", "low", "high"}}.
    """
    found = summarize(
        [each.confidence for each in outcomes],
        [each.correct for each in outcomes],
        [each.valid for each in outcomes],
        resamples=RESAMPLES,
        seed=seed,
        metrics={name: METRICS[name] for name in _REPORTED},
    )["all"]
    rewards = _rewards(outcomes)
    rows = _resampled(len(outcomes), seed)
    return {
        "n": len(outcomes),
        "valid_rate": round(sum(each.valid for each in outcomes) / len(outcomes), 4),
        "reward": _interval(float(rewards.mean()), [float(rewards[chosen].mean()) for chosen in rows]),
        **{name: found[name].as_json() for name in _REPORTED},
    }


def differences(ours: Sequence[GuidedOutcome], theirs: Sequence[GuidedOutcome], seed: int) -> dict[str, Any]:
    """Compare two ways of guiding, question by question: rows are drawn for both alike.

    Args:
        ours: Outcomes of one way.
        theirs: Of another, for the same questions in the same order.
        seed: Of the resampling.

    Returns:
        Differences of reward and accuracy, ratio of ECE, and ratio of confident errors (theirs over ours), each with
        its bootstrap 95 % interval.

    Raises:
        ValueError: If the questions differ.
    """
    if [each.question.id for each in ours] != [each.question.id for each in theirs]:
        raise ValueError("the two were asked different questions")
    rewards = _rewards(ours) - _rewards(theirs)
    hits = _hits(ours).astype(float) - _hits(theirs).astype(float)
    both = [(np.array([each.confidence for each in side]), _hits(side)) for side in (ours, theirs)]
    rows = _resampled(len(ours), seed)

    def ratio(name: str, upper: int, lower: int) -> dict[str, float | None]:
        def of(chosen: Any) -> float:
            value, base = (
                float(METRICS[name](Tally.of(both[side][0][chosen], both[side][1][chosen]))[0])
                for side in (upper, lower)
            )
            return value / base if base else float("inf")

        return _interval(of(slice(None)), [of(chosen) for chosen in rows])

    return {
        "reward": _interval(float(rewards.mean()), [float(rewards[chosen].mean()) for chosen in rows]),
        "accuracy": _interval(float(hits.mean()), [float(hits[chosen].mean()) for chosen in rows]),
        "ece_ratio": ratio("ece", 0, 1),
        "confident_errors_fewer_times": ratio("confident_error_count", 1, 0),
    }


def _rewards(outcomes: Sequence[GuidedOutcome]) -> NDArray[np.float64]:
    return np.array([np.nan if each.reward is None else each.reward for each in outcomes])


def _hits(outcomes: Sequence[GuidedOutcome]) -> NDArray[np.bool_]:
    return np.array([each.correct for each in outcomes])


def _resampled(n: int, seed: int) -> list[NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    return [random.integers(n, size=n) for _ in range(RESAMPLES)]


def _interval(value: float, resampled: Sequence[float]) -> dict[str, float | None]:
    low, high = np.percentile(resampled, [2.5, 97.5])
    rounded = {"value": value, "low": float(low), "high": float(high)}
    # JSON has no infinity.
    return {name: round(number, 4) if np.isfinite(number) else None for name, number in rounded.items()}
