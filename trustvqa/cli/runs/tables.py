"""Evaluation figures as tables for a terminal of 120 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prompt4trust.calibration import FamilyChoice, GroupErrors
from prompt4trust.evaluation import Report
from prompt4trust.evaluation.family_choice import JUDGED_BY
from prompt4trust.evaluation.figures import Estimate, MethodReport
from prompt4trust.evaluation.probes import ProbeFigures
from trustvqa.reports import metric_names

METRICS = (
    *("accuracy", "mean_confidence", "ece", "ace", "smooth_ece", "brier", "nll", "auroc", "aurc", "valid_rate"),
    "confident_error_share",
)
_METHODS_ACROSS = 4
_ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


def console(*, beside_json: bool = False) -> Console:
    """Make a console for tables: a file or a pipe has no width of its own, and gets what a wide terminal would show.

    Args:
        beside_json: Standard output is for JSON, so that tables go to standard error.
    """
    own = Console(stderr=beside_json)
    return own if own.is_terminal else Console(stderr=beside_json, width=120)


def plain(*heads: str) -> Table:
    """Make a table without lines, of columns that do not wrap."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table


def comparison(report: Report) -> Iterator[Table]:
    """Lay the methods' figures side by side, metrics as rows; more than four methods make several tables."""
    for methods in _parts(report.methods):
        table = _table("", methods)
        for metric in METRICS:
            estimates = [method.figures.all.get(metric) for method in methods]
            if any(estimate is not None for estimate in estimates):
                name = metric_names.label(metric) + _ARROWS[metric_names.better(metric)]
                table.add_row(name, *(metric_names.interval(estimate) for estimate in estimates))
        for what, cells in metric_names.costs(methods):
            table.add_row(what, *cells)
        yield table


def by_group(report: Report, group: str) -> Iterator[Table]:
    """Lay accuracy and ECE of a group's values side by side."""
    for methods in _parts(report.methods):
        if not any(group in method.groups for method in methods):
            continue
        table = _table(f"{group} (n): accuracy, ECE", methods)
        for value in dict.fromkeys(value for method in methods for value in method.groups.get(group, {})):
            found = [method.groups.get(group, {}).get(value) for method in methods]
            cells = [
                "-" if figures is None else f"{_number(figures.all, 'accuracy')}  {_number(figures.all, 'ece')}"
                for figures in found
            ]
            n = max(figures.n for figures in found if figures is not None)
            table.add_row(escape(f"{value} ({n})"), *cells)
        worst = [method.worst.get(group) for method in methods]
        if any(worst):
            named = ("-" if each is None else f"{each.value} ({each.n})" for each in worst)
            table.add_row("worst ECE", *("-" if each is None else metric_names.interval(each.ece) for each in worst))
            table.add_row("  of", *map(escape, named))
            chance = ("" if each is None else metric_names.interval(each.by_chance) for each in worst)
            table.add_row("  by chance", *chance)
        yield table


def before_and_after(
    before: Mapping[str, Estimate], after: Mapping[str, Estimate], ideal: Mapping[str, Estimate], folds: int
) -> Table:
    """Lay a calibrator's figures before and after beside each other, and those that chance alone would make."""
    table = plain("", "as stated", f"corrected, {folds}-fold cross-fitted", "if perfectly calibrated")
    for metric in METRICS:
        if metric in before and metric in after and metric != "valid_rate":
            name = metric_names.label(metric) + _ARROWS[metric_names.better(metric)]
            expected = metric_names.interval(ideal[metric]) if metric in ideal else ""
            table.add_row(name, metric_names.interval(before[metric]), metric_names.interval(after[metric]), expected)
    return table


def errors_by_group(stratum: str, groups: Mapping[str, GroupErrors], spread: float) -> Table:
    """Lay the groups' calibration errors before and after beside each other."""
    table = plain(escape(f"{stratum} (n)"), "ECE as stated", "ECE corrected by group")
    for value, each in groups.items():
        cells = (metric_names.interval(Estimate(**figures)) for figures in (each.before, each.after))
        table.add_row(escape(f"{value} ({each.n})"), *map(escape, cells))
    table.caption = f"spread of the groups' corrections: {spread:.2f} on the logit"
    table.caption_justify = "left"
    return table


def candidates(choice: FamilyChoice) -> Table:
    """Lay out how the calibrator families did, from the simplest, the chosen one marked."""
    judged_by = (metric_names.label(metric) + _ARROWS[metric_names.better(metric)] for metric in JUDGED_BY)
    table = plain("", "family", *judged_by)
    refused = []
    for each in choice.candidates:
        if each.refused is not None:
            refused.append(f"{each.family}: {each.refused}")
            continue
        mark = "*" if each.family == choice.chosen else ""
        table.add_row(
            mark, each.family, *(metric_names.interval(Estimate(**each.metrics[metric])) for metric in JUDGED_BY)
        )
    table.caption = escape("\n".join(refused)) or None
    table.caption_justify = "left"
    return table


def probe(name: str, figures: Sequence[ProbeFigures]) -> Table:
    """Lay out how the methods took a probe, one a row."""
    heads = ("n", "accuracy", "spoilt", "confidence", "spoilt", "moved", "errors stated >= 0.9")
    points = any(each.followed is not None for each in figures)
    table = plain(f"probe {name}", *heads, *(("followed", "spoilt", "more") if points else ()))
    for each in figures:
        numbers = (*each.accuracy, *each.mean_confidence)
        table.add_row(
            escape(each.estimator),
            str(each.n),
            *(metric_names.number(value) for value in numbers),
            metric_names.interval(each.moved),
            metric_names.number(each.confident_error_share),
            *map(metric_names.number, each.followed or ()),
            *([metric_names.interval(each.followed_more)] if each.followed_more is not None else []),
        )
    return table


def _table(corner: str, methods: Sequence[MethodReport]) -> Table:
    return plain(corner, *(escape(method.name) for method in methods))


def _parts(methods: Sequence[MethodReport]) -> Iterator[Sequence[MethodReport]]:
    for start in range(0, len(methods), _METHODS_ACROSS):
        yield methods[start : start + _METHODS_ACROSS]


def _number(figures: Mapping[str, Estimate], metric: str) -> str:
    estimate = figures.get(metric)
    return metric_names.number(estimate.value if estimate else None)
