"""Findings: what the figures of methods come to, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prompt4trust.evaluation.comparison import HIGHER, differs
from prompt4trust.evaluation.figures import Estimate, MethodReport, MetricChange, Report

TOO_FEW = 100
"""Valid answers below which nothing is said about calibration."""
CLOSE = 0.02
"""A calibration error up to this is small, even where the answers show that it is not 0."""

_MOST_CHANGES = 6
_MOST_TOLD = 6

Kind = Literal["calibrated", "close", "over", "under", "mixed", "few", "none"]


@dataclass(frozen=True, slots=True)
class MethodSummary:
    """Verdict on a method: whether its confidence can be taken at its word.

    Attributes:
        kind: calibrated: its error is one that chance makes; close: beyond that, and small; over or under: it says more
            or less than comes true; mixed: both, at different confidences; few: too few answers; none: no answers.
        words: The same for people.
    """

    kind: Kind
    words: str

    @property
    def good(self) -> bool | None:
        """Whether it is good news; None where nothing can be said."""
        return None if self.kind in ("few", "none") else self.kind in ("calibrated", "close")


def judge(method: MethodReport) -> MethodSummary:
    """Judge a method by its replies that hold a verdict.

    Returns:
        The verdict: by the ECE beside what a perfectly calibrated model would show by chance (consistency resampling),
        and by the difference of mean confidence and accuracy.
    """
    valid, ideal = method.figures.valid, (method.outline.ideal if method.outline else {})
    n = sum(each.n for each in method.reliability)
    error, said, right = (_value(valid.get(name)) for name in ("ece", "mean_confidence", "accuracy"))
    if n == 0 or error is None or said is None or right is None:
        return MethodSummary("none", "no answers to judge by")
    if n < TOO_FEW:
        return MethodSummary("few", f"too few answers to tell ({n})")
    most = ideal["ece"].high if "ece" in ideal else None
    if most is not None and error <= most:
        return MethodSummary("calibrated", f"calibrated, as far as {n} answers can show")
    if error <= CLOSE:
        return MethodSummary("close", f"close to calibrated: off by {points(error)} points on average")
    if abs(said - right) < error / 2:
        return MethodSummary("mixed", f"miscalibrated: off by {points(error)} points, in both directions")
    if said > right:
        return MethodSummary("over", f"overconfident by {points(said - right)} points")
    return MethodSummary("under", f"underconfident by {points(right - said)} points")


def lead(report: Report) -> list[str]:
    """Sum a report up in a few sentences."""
    judged = [(method.name, judge(method)) for method in report.methods]
    trusted = [name for name, verdict in judged if verdict.good]
    others = {name: verdict.words for name, verdict in judged if verdict.good is False}
    said = []
    if trusted:
        said.append(f"Calibrated, or nearly: {', '.join(trusted)}.")
    if others:
        listed = [f"{name} ({told})" for name, told in others.items()] if len(others) <= _MOST_TOLD else list(others)
        said.append(f"Not calibrated: {', '.join(listed)}.")
    said += [f"{change.method} beside {change.than}: {effect(change)}." for change in report.changes[:_MOST_CHANGES]]
    if len(report.changes) > _MOST_CHANGES:
        said.append(f"Further comparisons ({len(report.changes) - _MOST_CHANGES}) stand below, side by side.")
    return said


def confident_errors(method: MethodReport) -> str:
    """Count the wrong answers stated at 0.9 or more, among all wrong ones; "" where there are no answers."""
    count, right = (_value(method.figures.all.get(name)) for name in ("confident_error_count", "accuracy"))
    if count is None or right is None:
        return ""
    wrong = round((1 - right) * method.figures.n)
    return f"{count:.0f} of {wrong} wrong answers" if wrong else "no wrong answer"


_TOLD = {
    "accuracy": ("accuracy", "points"),
    "ece": ("ECE", "number"),
    "brier": ("Brier score", "number"),
    "auroc": ("AUROC", "number"),
    "confident_error_count": ("confident errors", "count"),
}


def effect(change: MetricChange) -> str:
    """Name what differs between two methods where the answers show it, and what does not."""
    moved, same = [], []
    for metric, (name, form) in _TOLD.items():
        each = change.metrics.get(metric)
        if each is None or each.value is None or each.low is None or each.high is None:
            continue
        if not differs(each):
            same.append(name)
            continue
        amount = {
            "points": f"{points(abs(each.value))} points",
            "number": f"{abs(each.value):.3f}",
            "count": f"{abs(each.value):.0f}",
        }[form]
        better = (each.value > 0) == (metric in HIGHER)
        moved.append(f"{name} {'up' if each.value > 0 else 'down'} by {amount} ({'better' if better else 'worse'})")
    told = ", ".join(moved)
    if same:
        nothing = f"no difference shown in {', '.join(same)}"
        told = f"{told}; {nothing}" if told else nothing
    return told or "nothing to compare"


def points(share: float) -> str:
    """Write a share as percentage points."""
    return f"{100 * share:.1f}"


def _value(estimate: Estimate | None) -> float | None:
    return estimate.value if estimate else None
