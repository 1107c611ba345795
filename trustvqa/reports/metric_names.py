"""Names and notation of figures for people, on the page and in the terminal alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from prompt4trust.evaluation.comparison import HIGHER, LOWER
from prompt4trust.evaluation.figures import Estimate, MethodReport, WorstGroupFigures

LABELS = {
    "accuracy": "accuracy",
    "mean_confidence": "mean confidence",
    "ece": "ECE",
    "ace": "ACE",
    "smooth_ece": "smooth ECE",
    "brier": "Brier",
    "nll": "NLL",
    "auroc": "AUROC",
    "aurc": "AURC",
    "valid_rate": "valid rate",
    "confident_error_share": "errors stated >= 0.9",
    "coverage_at_5pct_error": "coverage at 5 % error",
    "coverage_at_10pct_error": "coverage at 10 % error",
    "accuracy_at_80pct_coverage": "accuracy at 80 % coverage",
    "confident_error_count": "errors stated >= 0.9, count",
}
"""Metric -> short name, in the order in which a table lists them; others follow under their own names."""


def better(metric: str) -> Literal["higher", "lower", ""]:
    """Give the side on which a metric is better, "" where that is not known."""
    if metric in LOWER:
        return "lower"
    return "higher" if metric in HIGHER else ""


def label(metric: str) -> str:
    """Name a metric for people."""
    return LABELS.get(metric, metric.replace("_", " "))


def metrics_of(methods: Iterable[MethodReport]) -> list[str]:
    """List the metrics that any method has, in the order of a table."""
    found = dict.fromkeys(name for method in methods for name in (*method.figures.all, *method.figures.valid))
    return [name for name in LABELS if name in found] + [name for name in found if name not in LABELS]


def number(value: float | None, decimals: int = 3) -> str:
    """Write a figure, a dash where it is undefined."""
    return "-" if value is None else f"{value + 0.0:z.{decimals}f}"


def interval(estimate: Estimate | None, decimals: int = 3) -> str:
    """Write a figure with its interval."""
    if estimate is None or estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return number(estimate.value, decimals)
    value, low, high = (number(each, decimals) for each in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def worst(found: WorstGroupFigures | None) -> str:
    """Write the worst group's ECE with its interval, then its name and how many answers it has."""
    return "-" if found is None else f"{interval(found.ece)} {found.value} ({found.n})"


def costs(methods: Sequence[MethodReport]) -> list[tuple[str, list[str]]]:
    """Write the cost of an answer by each method, itself and nothing shared: the row's name, a cell a method.

    Returns:
        Nothing where no model was asked, as of a table of one's own.
    """
    if not any(method.calls for method in methods):
        return []
    return [
        ("model calls an answer", [f"{method.calls:.1f}" for method in methods]),
        ("tokens an answer", [f"{method.tokens:.0f}" for method in methods]),
        ("seconds an answer", [f"{method.seconds:.2f}" for method in methods]),
    ]


def remarks(method: MethodReport) -> list[str]:
    """List what a reader of a method's figures must know."""
    if method.calibrator is not None:
        # Everything else is said of the estimator whose predictions these are.
        told = ["its calibrator was fitted on these very answers: the figures flatter it"] if method.in_sample else []
        if method.uncorrected:
            told.append(f"{method.uncorrected} answer(s) lack a signal that its calibrator needs, and are as stated")
        return told
    said = []
    if method.failed:
        said.append(
            f"{method.failed} question(s) without a prediction are in no figure: a model could not be asked, or a "
            "picture could not be read (predictions.jsonl says of each)"
        )
    if method.unlabelled:
        said.append(
            f"{method.unlabelled} question(s) without a known right option are in no figure: open ones, whose answers "
            "no judge compared with what is expected, and those of unknown truth"
        )
    if method.invalid:
        listed = ", ".join(f"{count} x {reason}" for reason, count in method.invalid.items())
        said.append(f"replies without a verdict: {listed}")
    if len(method.policies) > 1:
        said.append(f"guidance of several policy versions: {', '.join(method.policies)}")
    return said
