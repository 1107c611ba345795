"""Diagrams by group: where a method is wrong, and where it does not know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from prompt4trust.evaluation.figures import Estimate, Figures, MethodReport
from prompt4trust.plots import Triple, dots_svg, gaps_svg, legend_svg, stated_svg
from trustvqa.reports import metric_names
from trustvqa.reports.page_parts import Diagram, inline

_METRICS = ("ece", "auroc", "confident_error_share")
_MOST_VALUES = 20
_WISHES = {"higher": "further right is better", "lower": "further left is better", "": ""}

Legend = Sequence[tuple[Markup, str]]
"""Markers and the words beside them."""


@dataclass(frozen=True, slots=True)
class GroupDiagrams:
    """The diagrams of one group.

    Attributes:
        group: Its name, such as family.
        shown, of: How many of its values are in the diagrams, the largest, and how many there are.
        gaps_legend, gaps: For each method, how often it was right beside what it stated.
        dots_legend, dots: For each metric, all methods.
    """

    group: str
    shown: int
    of: int
    gaps_legend: Legend
    gaps: Sequence[Diagram]
    dots_legend: Legend
    dots: Sequence[Diagram]


def group_diagrams(methods: Sequence[MethodReport], group: str, colours: Mapping[str, int]) -> GroupDiagrams:
    """Draw a group's figures.

    Args:
        methods: The methods.
        group: Name of the group, such as family.
        colours: Name of a method -> number of its colour.
    """
    counted: dict[str, int] = {}
    for method in methods:
        for value, found in method.groups.get(group, {}).items():
            counted[value] = max(counted.get(value, 0), found.n)
    kept = sorted(counted, key=lambda value: -counted[value])[:_MOST_VALUES]
    values = [value for value in counted if value in kept]
    rows = [f"{value} ({counted[value]})" for value in values]
    gaps = []
    for method in methods:
        cells = [method.groups.get(group, {}).get(value) for value in values]
        right = [_triple(each, "accuracy") for each in cells]
        stated = [mean[0] if (mean := _triple(each, "mean_confidence")) else None for each in cells]
        drawing = gaps_svg(rows, right, stated, f"{method.name}: right and stated by {group}")
        gaps.append(Diagram.of(drawing, method.name))
    return GroupDiagrams(
        group=group,
        shown=len(values),
        of=len(counted),
        gaps_legend=[(inline(legend_svg(0)), "right, with interval"), (inline(stated_svg()), "stated on average")],
        gaps=gaps,
        dots_legend=[
            (inline(legend_svg(colours[each.name], hollow=each.calibrator is None)), each.name) for each in methods
        ],
        dots=_dots(methods, group, values, rows, colours),
    )


def _dots(
    methods: Sequence[MethodReport],
    group: str,
    values: Sequence[str],
    rows: Sequence[str],
    colours: Mapping[str, int],
) -> list[Diagram]:
    drawn = []
    for metric in _METRICS:
        series = {
            method.name: [_triple(method.groups.get(group, {}).get(value), metric) for value in values]
            for method in methods
        }
        if not any(each for found in series.values() for each in found):
            continue
        name = metric_names.label(metric)
        drawing = dots_svg(
            rows,
            series,
            f"{name} by {group}",
            x_label=name,
            x_range=(0.0, 1.0) if metric == "confident_error_share" else _range(series) if metric == "auroc" else None,
            colours=colours,
            hollow=frozenset(method.name for method in methods if method.calibrator is None),
        )
        drawn.append(Diagram.of(drawing, name, f": {_WISHES[metric_names.better(metric)]}"))
    return drawn


def _range(series: Mapping[str, Sequence[Triple | None]]) -> tuple[float, float]:
    """AUROC is of interest from 0.5, which is guessing."""
    lowest = min(end for found in series.values() for each in found if each for end in each if end is not None)
    return (min(0.5, lowest), 1.0)


def _triple(figures: Figures | None, metric: str) -> Triple | None:
    each: Estimate | None = figures.all.get(metric) if figures else None
    return None if each is None or each.value is None else (each.value, each.low, each.high)
