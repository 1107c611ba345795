"""What `calibrate` did, as one self-contained HTML page: the candidates, before and after, reliability diagrams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from prompt4trust.calibration import CalibratorArtifact, Choice
from prompt4trust.calibration.artifact import MetricValues
from prompt4trust.evaluation.choosing import JUDGED_BY
from prompt4trust.evaluation.figures import Estimate
from prompt4trust.reporting import words
from prompt4trust.reporting.diagrams import reliability_svg
from prompt4trust.reporting.markup import document, table


def render_calibration_page(artifacts: Sequence[CalibratorArtifact]) -> str:
    """Write the calibrators of one run as HTML that needs nothing else.

    Args:
        artifacts: One an estimator.

    Returns:
        The page.
    """
    parts = ["<h1>Calibration</h1><p>In brackets: 95 % intervals.</p>"]
    for artifact in artifacts:
        parts += _section(artifact)
    return document("Calibration", parts)


def judged_words(choice: Choice) -> str:
    """Say in a sentence how the candidates were compared."""
    judged = (
        f"on {choice.n} answers of {choice.dataset}, which no fit saw"
        if choice.judged_on == "validation"
        else f"on {choice.n} answers, each by fits that did not see it"
    )
    score = words.label(choice.score) if choice.score != "nll" else "log loss (NLL)"
    return f"Judged {judged}; the lowest {score} wins, the simpler family (further up) where two are as good."


def estimates(metrics: MetricValues) -> dict[str, Estimate]:
    """Read the figures of an artefact."""
    return {name: Estimate(**values) for name, values in metrics.items()}


def _section(artifact: CalibratorArtifact) -> Iterable[str]:
    yield f"<h2>{escape(artifact.pair.estimator)}: {escape(artifact.method)}</h2>"
    yield f"<p>{escape(artifact.name)}, fitted on {artifact.n} valid answers of {escape(artifact.dataset)}.</p>"
    yield from (f'<p class="warn">{escape(warning)}.</p>' for warning in artifact.warnings)
    if artifact.choice is not None:
        yield _candidates(artifact.choice)
    yield "<p>As stated, and corrected by calibrators that had not seen the answer:</p>"
    yield _effect(artifact)
    pairs = (("as stated", artifact.reliability_before), ("corrected", artifact.reliability_after))
    figures = (
        f"<figure>{reliability_svg(bins, f'{artifact.pair.estimator} {what}')}<figcaption>{what}</figcaption></figure>"
        for what, bins in pairs
        if bins
    )
    yield f'<div class="figures">{"".join(figures)}</div>'


def _candidates(choice: Choice) -> str:
    rows = []
    for each in choice.candidates:
        if each.refused is None:
            name = escape(each.family)
            name = f"<strong>{name}</strong>, chosen" if each.family == choice.chosen else name
            found = estimates(each.metrics)
            rows.append([name, *(_cell(found.get(metric)) for metric in JUDGED_BY)])
    head = ["family", *(escape(words.label(metric)) for metric in JUDGED_BY)]
    refused = "".join(
        f"<p>{escape(each.family)} was left out: {escape(each.refused)}.</p>"
        for each in choice.candidates
        if each.refused is not None
    )
    return f"<p>{escape(judged_words(choice))}</p>{table(head, rows)}{refused}"


def _effect(artifact: CalibratorArtifact) -> str:
    before, after, ideal = (
        estimates(metrics) for metrics in (artifact.metrics_before, artifact.metrics_after, artifact.metrics_ideal)
    )
    rows = [
        [
            escape(words.label(metric)),
            *(_cell(found.get(metric)) for found in (before, after)),
            _cell(ideal[metric]) if metric in ideal else "",
        ]
        for metric in words.LABELS
        if metric in before and metric in after and metric not in ("valid_rate", "confident_error_count")
    ]
    return table(["", "as stated", "corrected", "if perfectly calibrated"], rows)


def _cell(estimate: Estimate | None) -> str:
    value, _, bounds = words.interval(estimate).partition(" ")
    return f"{value} <small>{bounds}</small>" if bounds else value
