"""The calibrators of one run as one self-contained page: candidates, before and after, reliability diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prompt4trust.calibration import CalibratorArtifact, FamilyChoice
from prompt4trust.calibration.artifact import MetricValues
from prompt4trust.evaluation.family_choice import JUDGED_BY
from prompt4trust.evaluation.figures import Estimate
from prompt4trust.plots import reliability_svg
from trustvqa.reports import metric_names
from trustvqa.reports.page_parts import Cell, Diagram, Table, figure_cell
from trustvqa.reports.rendering import render


@dataclass(frozen=True, slots=True)
class CalibratorView:
    """A calibrator as the page shows it: diagrams, how candidates were compared, figures before and after, by group."""

    artifact: CalibratorArtifact
    diagrams: Sequence[Diagram]
    judged: str
    candidates: Table | None
    effect: Table
    groups: Sequence[Table]


@dataclass(frozen=True, slots=True)
class CalibratorsPage:
    """View model of calibrators.html."""

    title: str
    calibrators: Sequence[CalibratorView]


def render_calibrators_page(artifacts: Sequence[CalibratorArtifact]) -> str:
    """Write the calibrators of one run as HTML that needs nothing else.

    Args:
        artifacts: One an estimator.

    Returns:
        The page.
    """
    return render("calibrators.html", CalibratorsPage("Calibration", [_view(artifact) for artifact in artifacts]))


def judged_words(choice: FamilyChoice) -> str:
    """Describe in a sentence how the candidates were compared."""
    judged = (
        f"on {choice.n} answers of {choice.dataset}, which no fit saw"
        if choice.judged_on == "validation"
        else f"on {choice.n} answers, each by fits that did not see it"
    )
    score = metric_names.label(choice.score) if choice.score != "nll" else "log loss (NLL)"
    return f"Judged {judged}; the lowest {score} wins, the simpler family (further up) where two are as good."


def estimates(metrics: MetricValues) -> dict[str, Estimate]:
    """Read the figures of an artifact."""
    return {name: Estimate(**values) for name, values in metrics.items()}


def _view(artifact: CalibratorArtifact) -> CalibratorView:
    estimator, choice = artifact.key.estimator, artifact.choice
    bins = {"as stated": artifact.reliability_before, "corrected": artifact.reliability_after}
    drawn = [Diagram.of(reliability_svg(each, f"{estimator} {name}"), name) for name, each in bins.items() if each]
    judged, candidates = (judged_words(choice), _candidates(choice)) if choice else ("", None)
    return CalibratorView(artifact, drawn, judged, candidates, _effect(artifact), _groups(artifact))


def _candidates(choice: FamilyChoice) -> Table:
    rows: list[list[Cell | str]] = []
    for each in choice.candidates:
        if each.refused is None:
            name = Cell(each.family, mark="sure", after=", chosen") if each.family == choice.chosen else each.family
            found = estimates(each.metrics)
            rows.append([name, *(figure_cell(found.get(metric), metric) for metric in JUDGED_BY)])
    return Table(["family", *(metric_names.label(metric) for metric in JUDGED_BY)], rows)


def _effect(artifact: CalibratorArtifact) -> Table:
    before, after, ideal = (
        estimates(metrics) for metrics in (artifact.metrics_before, artifact.metrics_after, artifact.metrics_ideal)
    )
    rows = [
        [
            metric_names.label(metric),
            *(figure_cell(found.get(metric), metric) for found in (before, after)),
            figure_cell(ideal[metric], metric) if metric in ideal else "",
        ]
        for metric in metric_names.LABELS
        if metric in before and metric in after and metric not in ("valid_rate", "confident_error_count")
    ]
    return Table(["", "as stated", "corrected", "if perfectly calibrated"], rows)


def _groups(artifact: CalibratorArtifact) -> list[Table]:
    tables = []
    for stratum, groups in artifact.groups.items():
        rows: list[list[Cell | str]] = [
            [value, str(each.n), *(figure_cell(Estimate(**figures), "ece") for figures in (each.before, each.after))]
            for value, each in groups.items()
        ]
        tables.append(Table([stratum, "n", "ECE as stated", "ECE corrected by group"], rows))
    return tables
