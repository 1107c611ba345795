"""Files of the registry that a model card is made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.estimators import wording_of
from prompt4trust.selection.artifact import GuardArtifact
from prompt4trust.shift.artifact import ReferenceArtifact
from prompt4trust.verdict import split_name
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.common.registry.live_calibrator import live_calibrator
from services.gateway.model_card.schemas import CardFigure
from services.gateway.settings import GatewaySettings

METRICS: Final = ("accuracy", "mean_confidence", "ece", "ace", "brier", "nll", "auroc", "high_confidence_errors")
"""Metrics of the card, where they were recorded; those that a file has beside them are left to it."""

_MOST_BYTES: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class CardEvidence:
    """Contents of a registry that are of the live pair.

    Attributes:
        template: The wording of answers, without the parser that may stand behind it.
        policy: The live policy version, or None.
        provenance: Its provenance; empty where none was recorded.
        measured: Its metrics; likewise.
        calibrators: The live calibrators of the pair, of the methods that are offered.
        guards: Guards of the pair.
        references: Reference inputs that one of these was made from.
        changed: When what is live was last changed, by whom and to what; None where that is not known.
        problem: Why the registry could not be read; None where it could.
    """

    template: str
    policy: str | None
    provenance: Mapping[str, Any]
    measured: Mapping[str, Any]
    calibrators: list[CalibratorArtifact]
    guards: list[GuardArtifact]
    references: list[ReferenceArtifact]
    changed: str | None
    problem: str | None = None


def read_evidence(settings: GatewaySettings) -> CardEvidence:
    """Read the registry; what cannot be read is not there, and the card says why.

    Args:
        settings: The gateway's.
    """
    template, _ = split_name(settings.answer_template)
    registry = Registry(settings.registry)
    try:
        policy, active = registry.active.policy(), registry.active.calibrators()
        found = registry.calibrators.load_all()
        guards, references = registry.guards.load_all(), registry.references.load_all()
        changes = registry.activations()[-1:]
    except (OSError, RegistryError) as error:
        return CardEvidence(template, None, {}, {}, [], [], [], None, problem=f"the registry cannot be read: {error}")
    mine = [each for each in found if _fits(each.key, settings, policy, template)]
    live = {each.name: each for each in mine if live_calibrator(found, each.key, active) is each}
    of_pair = [each for each in guards if _fits(each.key, settings, policy, template)]
    questions = {each.questions for each in live.values()} | {each.questions for each in of_pair}
    folder = registry.root / "policies" / policy if policy else None
    return CardEvidence(
        template=template,
        policy=policy,
        provenance=_read(folder, "provenance.json"),
        measured=_read(folder, "metrics.json"),
        calibrators=sorted(live.values(), key=lambda each: each.name),
        guards=sorted(of_pair, key=lambda each: each.name),
        references=[each for each in references if (questions - {None}) & {each.questions, *each.also}],
        changed=f"{changes[0].at:%Y-%m-%d %H:%M} UTC, {changes[0].name}, by {changes[0].who}" if changes else None,
    )


def figures_of(evidence: CardEvidence) -> Iterable[CardFigure]:
    """List the figures that the files record, each with its interval and number of answers."""
    for each in evidence.calibrators:
        source = f"calibrators/{each.name}.json"
        for condition, metrics in (("as stated", each.metrics_before), (_after(each), each.metrics_after)):
            yield from _figures(metrics, each.name, each.n, each.dataset, condition, source)
    if evidence.policy is None:
        return
    source = f"policies/{evidence.policy}/metrics.json"
    for condition in ("before", "after"):
        part = evidence.measured.get(condition)
        if isinstance(part, dict) and isinstance(part.get("metrics"), dict):
            n = part.get("n") if isinstance(part.get("n"), int) else None
            data = str(evidence.measured["split"]) if evidence.measured.get("split") else None
            told = f"{condition} training"
            yield from _figures(part["metrics"], evidence.policy, n, data, told, source)


def _figures(  # noqa: PLR0913, RUF100 - the columns of a table
    metrics: Mapping[str, Any], subject: str, n: int | None, dataset: str | None, condition: str, source: str
) -> Iterable[CardFigure]:
    for name in METRICS:
        told = metrics.get(name)
        if isinstance(told, dict) and isinstance(told.get("value"), int | float):
            yield CardFigure(
                subject=subject,
                name=name,
                value=told["value"],
                low=told.get("low"),
                high=told.get("high"),
                n=n,
                dataset=dataset,
                condition=condition,
                source=source,
            )


def _after(artifact: CalibratorArtifact) -> str:
    if artifact.folds:
        return f"calibrated, cross-fitted in {artifact.folds} parts"
    return "calibrated, on the answers that it was fitted to, which flatters"


def _fits(key: Any, settings: GatewaySettings, policy: str | None, template: str) -> bool:
    return (
        key.downstream == settings.downstream_model
        and key.policy in (None, policy)
        and key.answer_template == wording_of(key.estimator, template, settings.second_downstream_model)
        and key.estimator in settings.methods
    )


def _read(folder: Path | None, name: str) -> Mapping[str, Any]:
    if folder is None:
        return {}
    try:
        file = folder / name
        found = json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size <= _MOST_BYTES else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
