"""`trustvqa guard`: make the evidence for deferral and option sets from checked answers, and publish it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.evaluation import ManifestError, Prediction, RunManifest, TableError, read_manifest, read_predictions
from prompt4trust.evaluation.prediction_arrays import fitting_hash
from prompt4trust.evaluation.selection_trials import (
    CoverageTrial,
    RiskTrial,
    checked_answers,
    try_coverages,
    try_group_risks,
    try_risks,
)
from prompt4trust.question_signals.typicality import is_typicality
from prompt4trust.selection import GuardArtifact, fit_guard
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.common.registry.live_calibrator import live_calibrator
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.models.fitting import strata_names
from trustvqa.cli.models.held_out_answers import MOST_MISSING, SAME
from trustvqa.cli.models.publishing import artifact_name, whole_key
from trustvqa.cli.option_groups import grouped
from trustvqa.cli.output import BesideJson, print_json
from trustvqa.cli.runs import prediction_run, tables

RISKS = (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40)
COVERAGES = (0.80, 0.90, 0.95)


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """The division of the rows, and the promises that are made from them."""

    ties: Annotated[
        Literal["split", "together"],
        typer.Option(help="Equally confident answers: told apart by a number drawn from the question, or not."),
    ] = "split"
    unit: Annotated[
        Literal["picture", "question"],
        typer.Option(
            help="What is tested where questions share pictures: one a picture at most, or all, as if drawn "
            "one by one: then the promise fails more often than it says."
        ),
    ] = "picture"
    group: Annotated[
        str | None, typer.Option(help="Option sets cover within each value of this, such as family or modality.")
    ] = None
    risk_by_group: Annotated[
        str | None,
        typer.Option(
            help="The accepted risk holds in every group of these at once: modality, or several with commas. Questions "
            "of no known group are then left to a person."
        ),
    ] = None
    delta: Annotated[float, typer.Option(min=1e-6, max=0.5, help="Probability with which a promise may fail.")] = 0.05
    seed: Annotated[int, typer.Option(help="Seed of the division of the rows.")] = 42


@grouped
def guard(
    *,
    run: Annotated[Path, typer.Option(help="Run of evaluate or calibrate on questions kept apart for this.")],
    methods: Annotated[
        str | None, typer.Option(help="Whose answers, with commas between; by default all of the run's.")
    ] = None,
    scale: Annotated[
        Literal["stated", "calibrated"],
        typer.Option(help="Confidence that thresholds are for; calibrated: by the live calibrator."),
    ] = "stated",
    fitting: GuardOptions,
    registry: Annotated[Path | None, typer.Option(help="Directory that the evidence is published in.")] = None,
    report_data: Annotated[
        Path | None, typer.Option(help="Another run, of other questions: show what the promises come to there.")
    ] = None,
    publish: Annotated[bool, typer.Option(help="Publish, or only show.")] = True,
    as_json: BesideJson = False,
) -> None:
    """Make thresholds with a guaranteed share of errors, and option sets with a guaranteed coverage, for each method.

    No model is asked: the answers are those of an earlier run. Where several of its questions are about one picture,
    thresholds are tested on one of each picture at most, so that the promise holds for newly drawn pictures. Nothing is
    published where more than 1 % of its predictions are missing (status 4).
    """
    console = tables.console(beside_json=as_json)
    try:
        manifest, rows = _read(run)
        names = prediction_run.method_names(methods) if methods else list(manifest.estimators)
        other = None if report_data is None else _read_other(report_data, manifest)
        target = Registry(registry or prediction_run.read_settings().registry)
        made = []
        for name in names:
            own = _of(rows, name)
            _check_complete(own, manifest, name)
            calibrator = _calibrator(target, manifest.calibration_key(name), own) if scale == "calibrated" else None
            made.append((_fit(manifest, own, name, calibrator, fitting), calibrator))
    except (CommandError, ManifestError, TableError, RegistryError) as error:
        fail(str(error))
    documents = []
    for artifact, calibrator in made:
        answers = None if other is None else checked_answers(_of(other, artifact.key.estimator), calibrator)
        risks = try_risks(artifact, answers or [], RISKS, fitting.delta)
        by_group = try_group_risks(artifact, answers or [], RISKS, fitting.delta)
        coverages = try_coverages(artifact, answers or [], COVERAGES)
        _show(artifact, risks, by_group, coverages, fitting.delta, console, elsewhere=answers is not None)
        if publish:
            console.print(str(target.guards.publish(artifact)), highlight=False, soft_wrap=True)
        documents.append(_document(artifact, risks, by_group, coverages, fitting.delta))
    if as_json:
        print_json(documents)


def _fit(
    manifest: RunManifest,
    rows: Sequence[Prediction],
    name: str,
    calibrator: CalibratorArtifact | None,
    options: GuardOptions,
) -> GuardArtifact:
    try:
        key = whole_key(manifest.calibration_key(name))
        artifact = fit_guard(
            checked_answers(rows, calibrator),
            name=artifact_name("guard", key),
            key=key,
            dataset=manifest.dataset,
            clock=lambda: datetime.now(UTC),
            calibrator=calibrator,
            data_hash=fitting_hash(rows),
            ties=options.ties,
            unit=options.unit,
            group=options.group,
            strata=strata_names(options.risk_by_group),
            delta=options.delta,
            seed=options.seed,
        )
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from error
    return artifact.model_copy(update={"questions": manifest.data_hash})


def _of(rows: Sequence[Prediction], name: str) -> list[Prediction]:
    return [row for row in rows if row.estimator == name]


def _read(folder: Path) -> tuple[RunManifest, list[Prediction]]:
    manifest = read_manifest(folder)
    return manifest, read_predictions(folder)


def _read_other(folder: Path, manifest: RunManifest) -> list[Prediction]:
    other, rows = _read(folder)
    if other.data_hash == manifest.data_hash:
        raise CommandError(f"--report-data {folder}: the very questions that the promises are made from")
    if differing := [name for name in SAME if getattr(other, name) != getattr(manifest, name)]:
        raise CommandError(f"--report-data {folder}: another {' and '.join(differing)}")
    return rows


def _check_complete(rows: Sequence[Prediction], manifest: RunManifest, name: str) -> None:
    if not rows:
        raise CommandError(f"the run has no predictions by {name!r}; it has {', '.join(manifest.estimators)}")
    missing = manifest.questions - sum(row.failure is None for row in rows)
    if missing > MOST_MISSING * manifest.questions:
        fail(f"{missing} predictions by {name} are missing, so nothing is published; resume that run first", 4)


def _calibrator(registry: Registry, key: CalibrationKey, rows: Sequence[Prediction]) -> CalibratorArtifact:
    found = live_calibrator(registry.calibrators.load_all(), key, registry.active.calibrators())
    if found is None:
        misfit = key.nearest_misfit((each.name, each.key) for each in registry.calibrators.load_all())
        why = "the registry has no calibrator of these models" if misfit is None else f"no calibrator fits: {misfit}"
        raise CommandError(f"{key.estimator}: {why}")
    used = {found.data_hash, *([found.choice.data_hash] if found.choice else [])}
    if fitting_hash(rows) in used:
        raise CommandError(
            f"{key.estimator}: the calibrator {found.name} was fitted or chosen on these very answers, so that they "
            "prove nothing of it; use another run's, or --scale stated"
        )
    unknown = [each for each in found.calibrator().inputs() if is_typicality(each) and not _carry(rows, each)]
    if unknown:
        raise CommandError(
            f"{key.estimator}: the calibrator {found.name} needs {unknown[0]}, which the run does not record: ask "
            "again with `trustvqa evaluate --reference`, naming the reference inputs that it was fitted with"
        )
    return found


def _carry(rows: Sequence[Prediction], signal: str) -> bool:
    return any(signal in row.signals for row in rows)


def _show(
    artifact: GuardArtifact,
    risks: Sequence[RiskTrial],
    by_group: Mapping[str, Sequence[RiskTrial]],
    coverages: Sequence[CoverageTrial],
    delta: float,
    console: Console,
    *,
    elsewhere: bool,
) -> None:
    console.print(
        f"\n[bold]{escape(artifact.key.estimator)}[/], {artifact.scale} confidence, tested on {artifact.rows} "
        f"questions of {escape(artifact.dataset)}{_drawn(artifact)}; each line holds with {100 * (1 - delta):.3g} % "
        "certainty",
        highlight=False,
    )
    rule = artifact.risk_rule(delta)
    heads = ["accepted risk", "confidence from", "answered", "wrong of these"]
    table = tables.plain(*heads, *(["answered elsewhere", "wrong of these"] if elsewhere else []))
    for each in risks:
        table.add_row(*_risk_cells(each, artifact.rows), *(_other_cells(each) if elsewhere else ()))
    console.print(table, highlight=False)
    console.print(f"the least risk at which anything is answered: {_percent(rule.least_risk)}", highlight=False)
    _show_groups(artifact, by_group, delta, console, elsewhere=elsewhere)
    if artifact.options is None:
        console.print("no option sets: this method gives no probability for each option", highlight=False)
    for each_coverage in coverages:
        console.print(_coverage_words(each_coverage), highlight=False)
    for warning in artifact.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}")


def _drawn(artifact: GuardArtifact) -> str:
    """Word how the tested questions were drawn, where it was not one by one."""
    if artifact.unit == "question":
        return ""
    checked = artifact.rows + artifact.set_aside + artifact.left_out
    return f", drawn from {checked} so that no two are about one picture"


def _show_groups(
    artifact: GuardArtifact,
    by_group: Mapping[str, Sequence[RiskTrial]],
    delta: float,
    console: Console,
    *,
    elsewhere: bool,
) -> None:
    rules = artifact.group_rules(delta)
    if rules is None:
        return
    console.print(
        f"\nthe gateway answers by these instead, which hold in every group at once with {100 * (1 - delta):.3g} % "
        "certainty; a question of no group here is left to a person",
        highlight=False,
    )
    heads = ["accepted risk", "confidence from", "answered", "wrong of these"]
    for group in rules.groups:
        if group.rule is None:
            continue
        table = tables.plain(*heads, *(["answered elsewhere", "wrong of these"] if elsewhere else []))
        for each in by_group[group.line]:
            table.add_row(*_risk_cells(each, group.rows), *(_other_cells(each) if elsewhere else ()))
        console.print(f"{escape(group.line)}, {group.rows} questions", highlight=False)
        console.print(table, highlight=False)


def _document(
    artifact: GuardArtifact,
    risks: Sequence[RiskTrial],
    by_group: Mapping[str, Sequence[RiskTrial]],
    coverages: Sequence[CoverageTrial],
    delta: float,
) -> dict[str, object]:
    """Put what `_show` prints into an object."""
    return {
        "method": artifact.key.estimator,
        "guard": artifact.name,
        "scale": artifact.scale,
        "n": artifact.rows,
        "unit": artifact.unit,
        "left_out": artifact.left_out,
        "delta": delta,
        "least_risk": artifact.risk_rule(delta).least_risk,
        "risks": [asdict(each) for each in risks],
        "risks_by_group": {group: [asdict(each) for each in trials] for group, trials in by_group.items()},
        "option_sets": [asdict(each) for each in coverages],
        "warnings": list(artifact.warnings),
    }


def _risk_cells(each: RiskTrial, rows: int) -> tuple[str, ...]:
    if each.limit is None:
        return _percent(each.max_risk), "none", "0 %", "-"
    limit = each.limit
    part = "" if limit.share_at_limit == 1 else f" ({_percent(limit.share_at_limit)} of those at it)"
    return (
        _percent(each.max_risk),
        f"{limit.confidence:.4g}{part}",
        _percent(limit.accepted / rows),
        f"{_percent(limit.errors / max(limit.accepted, 1))} ({limit.errors} of {limit.accepted})",
    )


def _other_cells(each: RiskTrial) -> tuple[str, str]:
    if each.answered == 0:
        return "0 %", "-"
    return (
        _percent(each.answered / max(each.questions, 1)),
        f"{_percent(each.wrong / each.answered)} ({each.wrong} of {each.answered})",
    )


def _coverage_words(each: CoverageTrial) -> str:
    parts = []
    for group, questions in each.questions.items():
        name = f"{escape(group)}: " if group else ""
        size, held = each.options[group] / questions, each.held[group] / questions
        parts.append(f"{name}{_percent(held)} of {questions} with {size:.2f} options on average")
    return f"option sets for {_percent(each.coverage)} hold the right one elsewhere in {'; '.join(parts)}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
