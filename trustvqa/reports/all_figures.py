"""Every figure in tables, for those who want the number behind a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prompt4trust.evaluation.figures import Estimate, Figures, MethodReport
from trustvqa.reports import metric_names
from trustvqa.reports.markup import clean, table

_METHODS_ACROSS = 4
_GROUP_METRICS = ("accuracy", "ece", "auroc", "confident_error_share")
_FIRST = ("family", "modality")
_ARROWS = {"higher": " &uarr;", "lower": " &darr;", "": ""}


def render(methods: Sequence[MethodReport]) -> list[str]:
    """Lay out all figures; more than four methods make several tables.

    Args:
        methods: The methods.

    Returns:
        HTML.
    """
    parts = ["<p>Arrows point to the better side. The same figures, and those of groups, are in the CSV file.</p>"]
    for part in _parts(methods):
        costs = ([clean(what), *cells] for what, cells in metric_names.costs(part))
        rows = [*_rows(part, "all"), *costs]
        parts += ["<h3>All questions</h3>", table(["", *(clean(method.name) for method in part)], rows)]
    for part in _parts(methods):
        head = ["", *(clean(method.name) for method in part)]
        parts += ["<h3>Valid replies only</h3>", table(head, _rows(part, "valid"))]
    for group in groups_of(methods):
        for part in _parts(methods):
            parts.append(f'<div class="tables">{"".join(_group(part, group))}</div>')
    return parts


def groups_of(methods: Sequence[MethodReport]) -> list[str]:
    """List the groups that any method has figures of, those that questions are told apart by first."""
    found = {group for method in methods for group in method.groups}
    return sorted(found, key=lambda group: (_FIRST.index(group) if group in _FIRST else len(_FIRST), group))


def heading(metric: str) -> str:
    """Name a metric, with an arrow to its better side; HTML."""
    return clean(metric_names.label(metric)) + _ARROWS[metric_names.better(metric)]


def cell(estimate: Estimate | None, metric: str, *, best: bool = False) -> str:
    """Write a figure with its interval below it; HTML."""
    decimals = 0 if metric.endswith("_count") else 3
    if estimate is None or estimate.value is None:
        return "-"
    value = metric_names.number(estimate.value, decimals)
    value = f'<span class="best">{value}</span>' if best else value
    if estimate.low is None or estimate.high is None:
        return value
    low, high = (metric_names.number(each, decimals) for each in (estimate.low, estimate.high))
    return f'{value} <span class="range">{low} to {high}</span>'


def _rows(methods: Sequence[MethodReport], view: str) -> Iterator[list[str]]:
    for metric in metric_names.metrics_of(methods):
        yield [heading(metric), *(_of(method.figures, view, metric) for method in methods)]


def _group(methods: Sequence[MethodReport], group: str) -> Iterator[str]:
    values = list(dict.fromkeys(value for method in methods for value in method.groups.get(group, {})))
    if not values:
        return
    for metric in (name for name in _GROUP_METRICS if name in metric_names.metrics_of(methods)):
        rows = []
        for value in values:
            found = [method.groups.get(group, {}).get(value) for method in methods]
            n = max(figures.n for figures in found if figures is not None)
            rows.append([clean(value), str(n), *(_of(figures, "all", metric) for figures in found)])
        told = table([clean(group), "n", *(clean(method.name) for method in methods)], rows)
        yield f"<div><h3>{clean(metric_names.label(metric))} by {clean(group)}</h3>{told}</div>"


def _of(figures: Figures | None, view: str, metric: str) -> str:
    if figures is None:
        return "-"
    return cell((figures.all if view == "all" else figures.valid).get(metric), metric)


def _parts(methods: Sequence[MethodReport]) -> Iterable[Sequence[MethodReport]]:
    return (methods[start : start + _METHODS_ACROSS] for start in range(0, len(methods), _METHODS_ACROSS))
