"""What `calibrate` did, as one self-contained HTML page: the candidates, before and after, reliability diagrams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prompt4trust.calibration import CalibratorArtifact, FamilyChoice
from prompt4trust.calibration.artifact import MetricValues
from prompt4trust.evaluation.family_choice import JUDGED_BY
from prompt4trust.evaluation.figures import Estimate
from prompt4trust.plots import reliability_svg
from trustvqa.reports import metric_names
from trustvqa.reports.all_figures import cell
from trustvqa.reports.markup import clean, document, figure, figures, intro, section, table


def render_calibration_page(artifacts: Sequence[CalibratorArtifact]) -> str:
    """Write the calibrators of one run as HTML that needs nothing else.

    Args:
        artifacts: One an estimator.

    Returns:
        The page.
    """
    parts = ['<h1>Calibration</h1><p class="soft">Ranges are 95 % intervals.</p>']
    for number, artifact in enumerate(artifacts):
        heading = f"{artifact.pair.estimator}: {artifact.method}"
        parts.append(section(f"calibrator-{number}", heading, _section(artifact)))
    return document("Calibration", parts)


def judged_words(choice: FamilyChoice) -> str:
    """Say in a sentence how the candidates were compared."""
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


def _section(artifact: CalibratorArtifact) -> Iterable[str]:
    yield f"<p>{clean(artifact.name)}, fitted on {artifact.n} valid answers of {clean(artifact.dataset)}.</p>"
    yield from (f'<p class="warn">{clean(warning)}.</p>' for warning in artifact.warnings)
    pairs = (("as stated", artifact.reliability_before), ("corrected", artifact.reliability_after))
    drawn = [
        figure(reliability_svg(bins, f"{artifact.pair.estimator} {what}"), f"<strong>{what}</strong>")
        for what, bins in pairs
        if bins
    ]
    if drawn:
        yield intro(
            "Bars: how often answers stated at that confidence were right; dashed: the distance to the diagonal, where "
            "a calibrated model lies. Corrected by calibrators that had not seen the answer."
        )
        yield figures(drawn)
    if artifact.choice is not None:
        yield from ("<h3>Candidates</h3>", _candidates(artifact.choice))
    yield from ("<h3>Effect</h3>", _effect(artifact))


def _candidates(choice: FamilyChoice) -> str:
    rows = []
    for each in choice.candidates:
        if each.refused is None:
            name = clean(each.family)
            name = f"<strong>{name}</strong>, chosen" if each.family == choice.chosen else name
            found = estimates(each.metrics)
            rows.append([name, *(cell(found.get(metric), metric) for metric in JUDGED_BY)])
    head = ["family", *(clean(metric_names.label(metric)) for metric in JUDGED_BY)]
    refused = "".join(
        f"<p>{clean(each.family)} was left out: {clean(each.refused)}.</p>"
        for each in choice.candidates
        if each.refused is not None
    )
    return f"<p>{clean(judged_words(choice))}</p>{table(head, rows)}{refused}"


def _effect(artifact: CalibratorArtifact) -> str:
    before, after, ideal = (
        estimates(metrics) for metrics in (artifact.metrics_before, artifact.metrics_after, artifact.metrics_ideal)
    )
    rows = [
        [
            clean(metric_names.label(metric)),
            *(cell(found.get(metric), metric) for found in (before, after)),
            cell(ideal[metric], metric) if metric in ideal else "",
        ]
        for metric in metric_names.LABELS
        if metric in before and metric in after and metric not in ("valid_rate", "confident_error_count")
    ]
    return table(["", "as stated", "corrected", "if perfectly calibrated"], rows)
