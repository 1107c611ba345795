"""The methods' diagrams with what is to be seen in them: before and after calibration, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from prompt4trust.evaluation.figures import MethodReport
from prompt4trust.plots import (
    confidence_histogram_svg,
    oracle_curve,
    random_curve,
    reliability_svg,
    risk_coverage_svg,
)
from trustvqa.reports import metric_names
from trustvqa.reports.markup import clean, figure, figures, intro

_CURVES_A_PLOT = 6
_SAME_CURVE = 0.005


def reliability(methods: Sequence[MethodReport]) -> list[str]:
    """Draw each method's reliability diagram; HTML."""
    told = intro(
        "Bars: how often answers stated at that confidence were right. The dashed part is the distance to the "
        "diagonal, where a calibrated model lies. The upright line shows where the bar would end by chance in 95 % of "
        "cases if the confidences were right: a bar that ends within it is no evidence against them. Below: how many "
        "answers. Valid replies only."
    )
    drawn = (
        figure(
            reliability_svg(method.reliability, method.name, method.outline.band if method.outline else ()),
            f"<strong>{clean(method.name)}</strong>: ECE "
            f"{clean(metric_names.interval(method.figures.valid.get('ece')))}",
        )
        for method in methods
    )
    return [told, figures(drawn)]


def histograms(methods: Sequence[MethodReport]) -> list[str]:
    """Draw the confidences of each method's right and wrong answers; HTML."""
    told = intro(
        "Right answers rise, wrong ones hang, on one scale. Confidence is of use where the two have different "
        "shapes; what hangs right of the dotted line is a confident error. Valid replies only."
    )
    drawn = (
        figure(
            confidence_histogram_svg(method.outline.right, method.outline.wrong, method.name),
            f"<strong>{clean(method.name)}</strong>: AUROC "
            f"{clean(metric_names.interval(method.figures.valid.get('auroc')))}",
        )
        for method in methods
        if method.outline
    )
    return [told, figures(drawn)]


def risk(methods: Sequence[MethodReport]) -> list[str]:
    """Draw the methods' risk-coverage curves; HTML."""
    curves = {method.name: list(method.outline.risk_coverage) for method in methods if method.outline}
    kept: dict[str, list[tuple[float, float]]] = {}
    left = []
    for method in methods:
        plain = next((each for each in methods if each.calibrator is None and _belongs(method, each)), method)
        if method is not plain and _alike(curves[method.name], curves[plain.name]):
            left.append(method.name)
        else:
            kept[method.name] = curves[method.name]
    told = intro(
        "Questions are answered in the order of confidence. The further left, the fewer are answered, and the lower "
        "the curve, the fewer of these are wrong. The best order would put every wrong answer last; no order errs as "
        "often everywhere. All questions; among equal confidences the order is that of chance."
    )
    if left:
        told += intro(
            f"Not drawn, since correction hardly changes the order of answers there: {clean(', '.join(left))}."
        )
    names = list(kept)
    parts = [told]
    for start in range(0, len(names), _CURVES_A_PLOT):
        part = names[start : start + _CURVES_A_PLOT]
        best = min(part, key=lambda name: kept[name][-1][1])
        rate = kept[best][-1][1]
        references = {f"no order ({best})": random_curve(rate), f"best order ({best})": oracle_curve(rate)}
        drawing = risk_coverage_svg({name: kept[name] for name in part}, "the methods", references=references)
        areas = ", ".join(
            f"{method.name} {metric_names.interval(method.figures.all.get('aurc'))}"
            for method in methods
            if method.name in part
        )
        parts.append(figure(drawing, f"Mean risk over all coverages (AURC): {clean(areas)}.", broad=True))
    return parts


def _belongs(method: MethodReport, plain: MethodReport) -> bool:
    return (method.run, method.estimator) == (plain.run, plain.estimator)


def _alike(mine: Sequence[tuple[float, float]], theirs: Sequence[tuple[float, float]]) -> bool:
    return len(mine) == len(theirs) and all(
        abs(one - other) < _SAME_CURVE for (_, one), (_, other) in zip(mine, theirs, strict=True)
    )
