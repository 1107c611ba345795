"""Tables of every figure, for those who want the number behind a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prompt4trust.evaluation.figures import Figures, MethodReport
from trustvqa.reports import metric_names
from trustvqa.reports.page_parts import Cell, Table, figure_cell, metric_heading

_METHODS_ACROSS = 4
_GROUP_METRICS = ("accuracy", "ece", "auroc", "confident_error_share")
_FIRST = ("family", "modality")


def whole_tables(methods: Sequence[MethodReport]) -> list[Table]:
    """Lay out the figures of all questions and of valid replies; more than four methods make several tables."""
    parts = _parts(methods)
    tables = [Table(_head(part), [*_rows(part, "all"), *_costs(part)], heading="All questions") for part in parts]
    return [*tables, *(Table(_head(part), list(_rows(part, "valid")), heading="Valid replies only") for part in parts)]


def group_tables(methods: Sequence[MethodReport]) -> list[list[Table]]:
    """Lay out the figures by group: for each group, and each four methods, a table a metric."""
    return [list(_group(part, group)) for group in groups_of(methods) for part in _parts(methods)]


def groups_of(methods: Sequence[MethodReport]) -> list[str]:
    """List the groups that any method has figures of, those that questions are told apart by first."""
    found = {group for method in methods for group in method.groups}
    return sorted(found, key=lambda group: (_FIRST.index(group) if group in _FIRST else len(_FIRST), group))


def _head(methods: Sequence[MethodReport], *before: str) -> list[str]:
    return [*(before or ("",)), *(method.name for method in methods)]


def _rows(methods: Sequence[MethodReport], view: str) -> Iterator[list[Cell | str]]:
    for metric in metric_names.metrics_of(methods):
        yield [metric_heading(metric), *(_of(method.figures, view, metric) for method in methods)]


def _costs(methods: Sequence[MethodReport]) -> Iterator[list[Cell | str]]:
    return ([what, *cells] for what, cells in metric_names.costs(methods))


def _group(methods: Sequence[MethodReport], group: str) -> Iterator[Table]:
    values = list(dict.fromkeys(value for method in methods for value in method.groups.get(group, {})))
    if not values:
        return
    for metric in (name for name in _GROUP_METRICS if name in metric_names.metrics_of(methods)):
        rows: list[list[Cell | str]] = []
        for value in values:
            found = [method.groups.get(group, {}).get(value) for method in methods]
            n = max(figures.n for figures in found if figures is not None)
            rows.append([value, str(n), *(_of(figures, "all", metric) for figures in found)])
        worst = [method.worst.get(group) for method in methods]
        if metric == "ece" and any(worst):
            rows.append(["worst, of valid replies", "", *(metric_names.worst(each) for each in worst)])
            by_chance = [None if each is None else each.by_chance for each in worst]
            rows.append(["worst, if all were calibrated", "", *(figure_cell(each, metric) for each in by_chance)])
        yield Table(_head(methods, group, "n"), rows, heading=f"{metric_names.label(metric)} by {group}")


def _of(figures: Figures | None, view: str, metric: str) -> Cell:
    if figures is None:
        return Cell("-")
    return figure_cell((figures.all if view == "all" else figures.valid).get(metric), metric)


def _parts(methods: Sequence[MethodReport]) -> list[Sequence[MethodReport]]:
    return [methods[start : start + _METHODS_ACROSS] for start in range(0, len(methods), _METHODS_ACROSS)]
