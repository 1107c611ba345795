"""A training run as one self-contained HTML page: how it learned, and what it changed on the validation questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prompt4trust.calibration import reliability
from prompt4trust.metrics.consistency import reliability_band
from prompt4trust.metrics.curves import confidence_counts
from prompt4trust.plots import confidence_histogram_svg, history_svg, reliability_svg
from trustvqa.reports import metric_names
from trustvqa.reports.page_parts import Cell, Diagram, Table, figure_cell, metric_heading
from trustvqa.reports.rendering import render
from trustvqa.reports.training_history import TrainingHistory, estimate

_TABLE = (
    "reward",
    "accuracy",
    "mean_confidence",
    "ece",
    "ace",
    "brier",
    "nll",
    "auroc",
    "confident_error_share",
    "valid_rate",
)
_VALIDATION = ("reward", "ece", "accuracy", "mean_confidence", "brier", "confident_error_share")
_TRAINING = {
    "reward": "mean reward",
    "ece": "ECE of the batch",
    "accuracy": "accuracy of the batch",
    "confidence_sd": "spread of confidences (near 0: one number for everything)",
    "kl": "KL from the policy at the start",
    "valid_rate": "valid replies",
    "difficulty": "difficulty of the batch's questions before training",
    "cross_entropy": "cross-entropy with smoothed labels",
    "calibration": "gap between mean confidence and frequency (SMAC)",
    "separation": "mean cosine between the classes' texts",
}
_SMOOTHED_OVER = 20
_MOST_POINTS = 240
_EXAMPLES = 4


@dataclass(frozen=True, slots=True)
class HintView:
    """A hint as the page shows it, the answer that it led to, and whether that was right."""

    text: str
    answer: str
    right: bool


@dataclass(frozen=True, slots=True)
class ChangedHints:
    """Questions whose hint changed, with the hint before and after and the change of reward."""

    heading: str
    rows: Sequence[tuple[str, HintView, HintView, str]]


@dataclass(frozen=True, slots=True)
class TrainingPage:
    """View model of training.html; a list that is empty has no section.

    Attributes:
        title: The page's name.
        notes: What a reader must know of how the page was made.
        history: The run.
        lead: How long it trained, and how the best checkpoint is chosen.
        summary: Figures before and after, None without.
        validation: For each metric its course on the validation questions.
        training: For each metric its course over the batches, with its mean over `smoothed` steps.
        masked: Number of samples that do not count.
        before_and_after: Reliability diagrams, then histograms.
        changed: Hints where the reward rose most, and where it fell most.
    """

    title: str
    notes: Sequence[str]
    history: TrainingHistory
    lead: str
    summary: Table | None
    validation: Sequence[Diagram]
    training: Sequence[Diagram]
    smoothed: int
    masked: int
    before_and_after: Sequence[Diagram]
    changed: Sequence[ChangedHints]


def render_training_page(history: TrainingHistory, *, title: str | None = None, notes: Sequence[str] = ()) -> str:
    """Write a training run, or a tuning, as HTML that needs nothing else.

    Args:
        history: The run.
        title: The page's name; None for one that names what was trained.
        notes: What a reader must know of how the page was made.

    Returns:
        The page.
    """
    last = max((each["step"] for each in history.steps), default=0)
    page = TrainingPage(
        title=title or f"{'Tuning' if history.objective is None else 'Training'} of {history.name}",
        notes=notes,
        history=history,
        lead=_lead(history, last),
        summary=_summary(history),
        validation=list(_validation(history)),
        smoothed=_SMOOTHED_OVER,
        training=list(_training(history)),
        masked=sum(int(each.get("masked") or 0) for each in history.steps),
        before_and_after=_before_and_after(history),
        changed=_changed_hints(history),
    )
    return render("training.html", page)


def _lead(history: TrainingHistory, last: int) -> str:
    if history.objective is None:
        return f"{last} epochs; the last one stands, none is chosen."
    return f"{last} steps; the best checkpoint is chosen by {_label(history.objective)}."


def _after(history: TrainingHistory, step: int) -> str:
    return f"tuned, epoch {step}" if history.objective is None else f"best, step {step}"


def _summary(history: TrainingHistory) -> Table | None:
    best = history.best
    if best is None:
        return None
    before, after = history.evaluation(0), history.evaluation(best)
    if after is None:
        return None
    rows: list[list[Cell | str]] = [
        [_heading(metric), _cell(before, metric), _cell(after, metric)]
        for metric in _TABLE
        if metric in after["metrics"]
    ]
    greedily = "" if history.objective is None else ", answered greedily"
    caption = f"{after['n']} validation questions{greedily}. Ranges are 95 % intervals."
    return Table(["", "at the start", _after(history, best)], rows, caption)


def _validation(history: TrainingHistory) -> Iterator[Diagram]:
    best = history.best
    for metric in _VALIDATION:
        found = [(float(each["step"]), estimate(each, metric)) for each in history.evaluations]
        values = [(step, figure.value) for step, figure in found]
        if all(value is None for _, value in values):
            continue
        band = [
            (step, figure.low, figure.high)
            for step, figure in found
            if figure.low is not None and figure.high is not None
        ]
        label = _label(metric)
        drawing = history_svg(
            {label: values},
            f"{label} on the validation questions",
            x_label="step",
            bands={label: band},
            marks=[(float(best), "best")] if best is not None and history.objective is not None else [],
            width=270.0,
            height=150.0,
            dots=True,
        )
        yield Diagram.of(drawing, label, _wish(metric))


def _training(history: TrainingHistory) -> Iterator[Diagram]:
    for metric, label in _TRAINING.items():
        points = [(float(each["step"]), _number(each.get(metric))) for each in history.steps]
        if all(value is None for _, value in points):
            continue
        lines = {"a step": _thinned(points), "mean": _thinned(_running(points))}
        drawing = history_svg(lines, f"{label} by step", x_label="step", width=270.0, height=150.0, names=False)
        yield Diagram.of(drawing, label)


def _before_and_after(history: TrainingHistory) -> list[Diagram]:
    bars, counts = [], []
    for step, said in _two(history):
        valid = [each for each in history.outcomes[step] if each.get("confidence") is not None]
        confidence = np.array([float(each["confidence"]) for each in valid])
        right = np.array([each["answer"] == each["truth"] for each in valid], dtype=np.bool_)
        if not len(confidence):
            continue
        band = reliability_band(confidence)
        bars.append(Diagram.of(reliability_svg(reliability(confidence, right), said, band), said))
        counts.append(Diagram.of(confidence_histogram_svg(*confidence_counts(confidence, right), said), said))
    return [*bars, *counts]


def _changed_hints(history: TrainingHistory) -> list[ChangedHints]:
    steps = [step for step, _ in _two(history)]
    if len(steps) < 2:
        return []
    before = {each["question_id"]: each for each in history.outcomes[steps[0]]}
    pairs = [
        (before[each["question_id"]], each)
        for each in history.outcomes[steps[1]]
        if each["question_id"] in before and None not in (each.get("reward"), before[each["question_id"]].get("reward"))
    ]
    pairs = [pair for pair in pairs if pair[0]["guidance"] != pair[1]["guidance"]]
    pairs.sort(key=lambda pair: (pair[1]["reward"] - pair[0]["reward"], pair[0]["question_id"]))
    gained = [pair for pair in reversed(pairs) if pair[1]["reward"] > pair[0]["reward"]][:_EXAMPLES]
    lost = [pair for pair in pairs if pair[1]["reward"] < pair[0]["reward"]][:_EXAMPLES]
    return [
        ChangedHints(
            heading,
            [
                (str(old["question"]), _hint(old), _hint(new), f"{new['reward'] - old['reward']:+.2f}")
                for old, new in chosen
            ],
        )
        for heading, chosen in (("Where the reward rose most", gained), ("Where it fell most", lost))
        if chosen
    ]


def _two(history: TrainingHistory) -> list[tuple[int, str]]:
    """Name the steps before and after of which there are outcomes."""
    best = history.best
    named = [(0, "at the start"), *([(best, _after(history, best))] if best is not None else [])]
    return [(step, said) for step, said in named if history.outcomes.get(step)]


def _hint(outcome: Mapping[str, Any]) -> HintView:
    right = outcome["answer"] is not None and outcome["answer"] == outcome["truth"]
    stated = outcome.get("confidence")
    said = f"{outcome['answer']}, stated {100 * stated:.3g} %" if stated is not None else "no verdict"
    return HintView(str(outcome["guidance"]), said, right)


def _cell(evaluation: Mapping[str, Any] | None, metric: str) -> Cell:
    return figure_cell(None if evaluation is None else estimate(evaluation, metric), metric)


def _label(metric: str) -> str:
    return "mean reward" if metric == "reward" else metric_names.label(metric)


def _heading(metric: str) -> str:
    return f"{_label(metric)} ↑" if metric == "reward" else metric_heading(metric)


def _wish(metric: str) -> str:
    side = "higher" if metric == "reward" else metric_names.better(metric)
    return f": {side} is better" if side else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _running(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    smooth: list[tuple[float, float | None]] = []
    for place, (step, _) in enumerate(points):
        part = [value for _, value in points[max(0, place - _SMOOTHED_OVER + 1) : place + 1] if value is not None]
        smooth.append((step, sum(part) / len(part) if part else None))
    return smooth


def _thinned(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """Keep so many points that a page stays small."""
    every = -(-len(points) // _MOST_POINTS)
    return [*points[::every], *(points[-1:] if (len(points) - 1) % every else [])]
