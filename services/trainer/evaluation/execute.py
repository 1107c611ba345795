"""Execution of a prepared evaluation run: questions, report and progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
from pydantic import SecretStr, ValidationError

from prompt4trust.datasets import Dataset, DatasetError
from prompt4trust.errors import ProbeError
from prompt4trust.evaluation import (
    ManifestError,
    Prediction,
    Progress,
    Report,
    RunAbandonedError,
    RunManifest,
    TableError,
    build_report,
    read_manifest,
)
from prompt4trust.evaluation.manifest import FILE as MANIFEST
from prompt4trust.evaluation.probes import spoil
from services.common.clients.errors import PictureEgressRefusedError
from services.common.registry.directory import Registry
from services.trainer.errors import DataError, EvaluationError, EvaluationFailedError, EvaluationStoppedError
from services.trainer.evaluation.config import EvaluationSpec
from services.trainer.evaluation.prediction_run import PredictionPlan, fitting_calibrators, predict
from services.trainer.evaluation.probes import write_figures
from services.trainer.evaluation.progress import EvaluationProgress
from services.trainer.model_settings import ModelSettings
from services.trainer.question_data import load_questions
from services.trainer.run_files.configuration import CONFIG
from trustvqa.reports import write_report

Keys = Mapping[str, SecretStr | None]
OUTPUT = "evaluation"
_FORESEEN = (
    DataError,
    DatasetError,
    EvaluationError,
    PictureEgressRefusedError,
    ManifestError,
    ProbeError,
    RunAbandonedError,
    TableError,
    OSError,
)


def execute(folder: Path, *, keys: Keys, stop: threading.Event) -> None:
    """Evaluate, or go on evaluating.

    Args:
        folder: The run's folder, with its config.json.
        keys: The models' API keys, by the names of their settings.
        stop: Ends the run at once; what was finished is kept.

    Raises:
        EvaluationFailedError: If it cannot go on, or some questions could not be asked. The report covers what could.
        EvaluationStoppedError: If it was stopped.
    """
    progress_log = EvaluationProgress(folder)
    try:
        try:
            spec = EvaluationSpec.model_validate_json((folder / CONFIG).read_bytes())
        except ValidationError as error:
            raise EvaluationFailedError(f"{folder / CONFIG} cannot be read: {error.errors()[0]['msg']}") from error
        missing = anyio.run(_run, folder, spec, keys, progress_log, stop)
        if missing:
            raise EvaluationFailedError(
                f"{missing} predictions could not be made; resume the run, which then asks those again"
            )
    except EvaluationStoppedError:
        progress_log.finish("cancelled")
        raise
    except (*_FORESEEN, EvaluationFailedError) as error:
        progress_log.finish("failed", str(error))
        raise EvaluationFailedError(str(error)) from error
    progress_log.finish("succeeded")


async def _run(
    folder: Path, spec: EvaluationSpec, keys: Keys, progress_log: EvaluationProgress, stop: threading.Event
) -> int:
    async def cancel_on_stop() -> None:
        while not stop.is_set():  # noqa: ASYNC110 - a signal sets it, and can set no event of this loop
            await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()

    missing: int | None = None
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel_on_stop)
        try:
            missing = await _evaluate(folder / OUTPUT, spec, keys, progress_log)
        except _FORESEEN as error:
            failure = error  # raised here it would come out as a group
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if missing is None:
        raise EvaluationStoppedError
    return missing


async def _evaluate(place: Path, spec: EvaluationSpec, keys: Keys, progress_log: EvaluationProgress) -> int:
    """Ask the questions, then the spoilt ones; returns how many predictions are missing."""
    config = spec.config
    settings = ModelSettings(**{**config.over(spec.models), **keys})
    artifacts = Registry(spec.registry) if config.calibrators == "auto" else None
    dataset = await anyio.to_thread.run_sync(load_questions, config.data, spec.data)
    plan = PredictionPlan(config.methods, config.concurrency, config.deadline_s, config.policy_version, recheck=True)
    if (place / MANIFEST).is_file():
        # Another version may have been made live since; a run keeps to the one that it began with.
        plan = replace(plan, policy_version=read_manifest(place).policy)

    @contextmanager
    def watching(_place: Path) -> Iterator[Callable[[Progress], None]]:
        yield progress_log.see

    async def ask(questions: Dataset, where: Path) -> tuple[RunManifest, list[Prediction], Report]:
        _, manifest, predictions = await predict(questions, plan, settings, where, watching)
        fitting = fitting_calibrators(artifacts, manifest) if artifacts else []

        def report() -> Report:
            made = build_report(predictions, manifest, fitting, resamples=config.resamples)
            write_report(where, made, predictions, questions.questions, fitting)
            return made

        return manifest, predictions, await anyio.to_thread.run_sync(report)

    manifest, plain, report = await ask(dataset, place)
    progress_log.figures("method", summarize(report.model_dump(mode="json")))
    missing = sum(row.failure is not None for row in plain)
    plan = replace(plan, policy_version=manifest.policy)
    artifacts = None  # a calibrator holds for the questions that it was fitted on, not for spoilt ones
    for name in config.probes:
        where = place / f"probe-{name}"
        questions = await anyio.to_thread.run_sync(spoil, dataset, name, where / "pictures")
        _, spoilt, _ = await ask(questions, where)
        _, figures = write_figures(where, name, dataset, plain, spoilt, manifest.estimators, config.resamples)
        progress_log.figures("probe", [{"probe": name, **each.model_dump(mode="json")} for each in figures])
        missing += sum(row.failure is not None for row in spoilt)
    return missing


def summarize(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Shorten a report, as report.json holds it, to each method's figures over all questions."""
    kept = ("name", "estimator", "calibrator", "in_sample", "failed", "calls", "tokens", "seconds")
    return [
        {**{name: method[name] for name in kept}, "n": method["figures"]["n"], "metrics": method["figures"]["all"]}
        for method in report.get("methods", [])
    ]
