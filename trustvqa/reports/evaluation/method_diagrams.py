"""Diagrams of the methods: before and after calibration, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prompt4trust.evaluation.figures import MethodReport
from prompt4trust.plots import (
    confidence_histogram_svg,
    oracle_curve,
    random_curve,
    reliability_svg,
    risk_coverage_svg,
)
from trustvqa.reports import metric_names
from trustvqa.reports.page_parts import Diagram

_CURVES_A_PLOT = 6
_SAME_CURVE = 0.005


@dataclass(frozen=True, slots=True)
class RiskDiagrams:
    """The methods' risk-coverage curves.

    Attributes:
        diagrams: Up to six curves in each.
        left_out: Methods whose curve is that of the uncorrected one.
    """

    diagrams: Sequence[Diagram]
    left_out: Sequence[str]


def reliability_diagrams(methods: Sequence[MethodReport]) -> list[Diagram]:
    """Draw each method's reliability diagram, with its ECE."""
    return [
        Diagram.of(
            reliability_svg(method.reliability, method.name, method.outline.band if method.outline else ()),
            method.name,
            f": ECE {metric_names.interval(method.figures.valid.get('ece'))}",
        )
        for method in methods
    ]


def confidence_histograms(methods: Sequence[MethodReport]) -> list[Diagram]:
    """Draw the confidences of each method's right and wrong answers, with its AUROC."""
    return [
        Diagram.of(
            confidence_histogram_svg(method.outline.right, method.outline.wrong, method.name),
            method.name,
            f": AUROC {metric_names.interval(method.figures.valid.get('auroc'))}",
        )
        for method in methods
        if method.outline
    ]


def risk_diagrams(methods: Sequence[MethodReport]) -> RiskDiagrams:
    """Draw the methods' risk-coverage curves; a calibrator that keeps the order of answers needs none of its own."""
    curves = {method.name: list(method.outline.risk_coverage) for method in methods if method.outline}
    kept: dict[str, list[tuple[float, float]]] = {}
    left = []
    for method in methods:
        plain = next((each for each in methods if each.calibrator is None and _belongs(method, each)), method)
        if method is not plain and _alike(curves[method.name], curves[plain.name]):
            left.append(method.name)
        else:
            kept[method.name] = curves[method.name]
    names = list(kept)
    diagrams = []
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
        diagrams.append(Diagram.of(drawing, told=f"Mean risk over all coverages (AURC): {areas}.", broad=True))
    return RiskDiagrams(diagrams, left)


def _belongs(method: MethodReport, plain: MethodReport) -> bool:
    return (method.run, method.estimator) == (plain.run, plain.estimator)


def _alike(mine: Sequence[tuple[float, float]], theirs: Sequence[tuple[float, float]]) -> bool:
    return len(mine) == len(theirs) and all(
        abs(one - other) < _SAME_CURVE for (_, one), (_, other) in zip(mine, theirs, strict=True)
    )
