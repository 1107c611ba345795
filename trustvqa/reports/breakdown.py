"""Figures by group: where a method is wrong, and where it does not know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prompt4trust.evaluation.figures import Estimate, Figures, MethodReport
from prompt4trust.plots import dots_svg, gaps_svg, legend_svg, stated_svg
from prompt4trust.plots.dots import Triple
from trustvqa.reports import metric_names
from trustvqa.reports.markup import clean, figure, figures

_METRICS = ("ece", "auroc", "confident_error_share")
_MOST_VALUES = 20


def render_breakdown(methods: Sequence[MethodReport], group: str, colours: Mapping[str, int]) -> str:
    """Draw a group's figures.

    Args:
        methods: The methods.
        group: Name of the group, such as family.
        colours: Name of a method -> number of its colour.

    Returns:
        HTML.
    """
    counted: dict[str, int] = {}
    for method in methods:
        for value, found in method.groups.get(group, {}).items():
            counted[value] = max(counted.get(value, 0), found.n)
    kept = sorted(counted, key=lambda value: -counted[value])[:_MOST_VALUES]
    values = [value for value in counted if value in kept]
    rows = [f"{value} ({counted[value]})" for value in values]
    parts = [f"<h3>By {clean(group)}</h3>"]
    if len(values) < len(counted):
        parts.append(f"<p>The {len(values)} largest of {len(counted)}; the others are in the CSV file.</p>")
    gaps = []
    for method in methods:
        cells = [method.groups.get(group, {}).get(value) for value in values]
        right = [_triple(each, "accuracy") for each in cells]
        stated = [mean[0] if (mean := _triple(each, "mean_confidence")) else None for each in cells]
        drawing = gaps_svg(rows, right, stated, f"{method.name}: right and stated by {group}")
        gaps.append(figure(drawing, f"<strong>{clean(method.name)}</strong>"))
    parts += [
        f'<ul class="legend"><li>{legend_svg(0)} right, with interval</li>',
        f"<li>{stated_svg()} stated on average</li></ul>",
        figures(gaps, "medium"),
        legend(methods, colours),
        figures(_dots(methods, group, values, rows, colours), "medium"),
    ]
    return "".join(parts)


def legend(methods: Sequence[MethodReport], colours: Mapping[str, int]) -> str:
    """Say what the markers stand for."""
    listed = "".join(
        f"<li>{legend_svg(colours[method.name], hollow=method.calibrator is None)} {clean(method.name)}</li>"
        for method in methods
    )
    return f'<ul class="legend">{listed}</ul>'


def _dots(
    methods: Sequence[MethodReport],
    group: str,
    values: Sequence[str],
    rows: Sequence[str],
    colours: Mapping[str, int],
) -> list[str]:
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
        wish = {"higher": "further right is better", "lower": "further left is better", "": ""}[
            metric_names.better(metric)
        ]
        drawn.append(figure(drawing, f"<strong>{clean(name)}</strong>: {wish}"))
    return drawn


def _range(series: Mapping[str, Sequence[Triple | None]]) -> tuple[float, float]:
    """AUROC is of interest from 0.5, which is guessing."""
    lowest = min(end for found in series.values() for each in found if each for end in each if end is not None)
    return (min(0.5, lowest), 1.0)


def _triple(figures_: Figures | None, metric: str) -> Triple | None:
    each: Estimate | None = figures_.all.get(metric) if figures_ else None
    return None if each is None or each.value is None else (each.value, each.low, each.high)
