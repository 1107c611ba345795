"""A prediction run for `evaluate` and `calibrate`: options over settings, and progress for a person."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import anyio
import stamina.instrumentation
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from prompt4trust.datasets import Dataset, DatasetError
from prompt4trust.evaluation import (
    ManifestError,
    Prediction,
    Progress,
    RunAbandonedError,
    RunManifest,
    TableError,
    read_manifest,
    read_predictions,
)
from prompt4trust.shift import QuestionTypicality
from services.common.clients.errors import PictureEgressRefusedError
from services.common.clients.picture_egress import is_near
from services.common.startup import SettingsFaultError, settings_of
from services.trainer.errors import EvaluationError
from services.trainer.evaluation import prediction_run
from services.trainer.evaluation.prediction_run import PredictionPlan
from services.trainer.evaluation.typicality import check_others, read_reference, with_typicality
from services.trainer.model_settings import ModelSettings
from services.trainer.settings import TrainerSettings
from trustvqa.cli.api_key import read_key
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.running_stack import as_running
from trustvqa.cli.runs.options import AskingOptions, QuestionOptions
from trustvqa.cli.runs.progress import PredictionProgress
from trustvqa.cli.runs.shards import Shard, merge

INTERRUPTED = 130
Settings = TypeVar("Settings", bound=ModelSettings)


@dataclass(frozen=True, slots=True)
class Request:
    """A prediction run as the command line asks for it.

    Attributes:
        data: Question file, or a folder with questions.csv.
        methods: Estimator names, comma-separated.
        seed: Seed of the draw.
        questions: Which of the questions.
        asking: How they are asked, and where the run lies; by default in a folder named after the configuration.
        policy_version: Policy version to ask, or None for the active one.
        shard: The part of the questions that is asked, or None for all.
    """

    data: Path
    methods: str
    seed: int
    questions: QuestionOptions
    asking: AskingOptions
    policy_version: str | None
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class PredictionOutcome:
    """A prediction run's result, and where it lies."""

    folder: Path
    dataset: Dataset
    manifest: RunManifest
    predictions: Sequence[Prediction]


def read_settings(**given: str | float | list[str] | None) -> ModelSettings:
    """Lay options that were given over the environment, the YAML file and the defaults.

    Raises:
        CommandError: If a name or a value cannot be used, or the key cannot be read.
    """
    try:
        named = {name: value for name, value in given.items() if value not in (None, [])}
        settings = settings_of(ModelSettings, named, whole=TrainerSettings)
        if given.get("top_k") and not settings.vendor_parameters:
            raise CommandError("--top-k: the setting vendor_parameters says that the model's server takes no top_k")
        return with_key(found_on(settings, given))
    except SettingsFaultError as error:
        raise CommandError(str(error)) from error


def found_on(settings: Settings, given: Mapping[str, object]) -> Settings:
    """Take the services of the stack that runs here, where settings name the usual addresses and nothing else does.

    Args:
        settings: The settings.
        given: What the command line says, by the settings' names.
    """
    prefix = settings.model_config.get("env_prefix", "")
    moved: dict[str, str] = {
        name: as_running(getattr(settings, name))
        for name in ("policy_url", "downstream_url")
        if name in type(settings).model_fields
        and given.get(name) is None
        and f"{prefix}{name}".upper() not in os.environ
    }
    return settings.model_copy(update=moved)


def with_key(settings: Settings) -> Settings:
    """Have the services asked by the command's own key, where the settings name none for them.

    The downstream models may be somebody else's, who is not shown it: beyond this machine and its neighbours only the
    key goes that was given for that very model.

    Raises:
        CommandError: If the key cannot be read.
    """
    if (text := read_key()) is None:
        return settings
    key = SecretStr(text)
    second = settings.second_downstream_url

    def near(url: str | None) -> bool:
        return url is not None and is_near(urlsplit(url).hostname or "")

    return settings.model_copy(
        update={
            "policy_api_key": settings.policy_api_key or key,
            "downstream_api_key": settings.downstream_api_key or (key if near(settings.downstream_url) else None),
            "second_downstream_api_key": settings.second_downstream_api_key or (key if near(second) else None),
        }
    )


def obtain_predictions(
    earlier: Path | None, request: Request, settings: ModelSettings, console: Console
) -> PredictionOutcome:
    """Take an earlier run's predictions if one is named, else ask the models."""
    if earlier is not None:
        return reuse_predictions(earlier, request, console)
    return run_predictions(request, settings, console)


def run_predictions(
    request: Request, settings: ModelSettings, console: Console, dataset: Dataset | None = None
) -> PredictionOutcome:
    """Predict, or go on predicting, with progress for a person; ends the command with a message where that fails.

    Args:
        request: What to predict.
        settings: Where the models are.
        console: Where progress goes.
        dataset: The questions, or None to read those that the request names.

    Returns:
        The outcome, complete but for failures.
    """
    stamina.instrumentation.set_on_retry_hooks([])  # retries are ordinary here; what fails for good is counted

    @contextmanager
    def watching(folder: Path) -> Iterator[Callable[[Progress], None]]:
        with PredictionProgress(console, folder) as watch:
            yield watch.update

    try:
        plan = PredictionPlan(
            method_names(request.methods),
            request.asking.concurrency,
            request.asking.deadline,
            request.policy_version,
            request.asking.recheck,
            typicality := _typicality(request),
        )
        questions = dataset or _load(request, console, typicality)
        folder, manifest, predictions = anyio.run(
            prediction_run.predict, questions, plan, settings, request.asking.out, watching
        )
        return PredictionOutcome(folder, questions, manifest, predictions)
    except KeyboardInterrupt:
        console.print("stopped; what was finished is kept: the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    except RunAbandonedError as error:
        fail(f"{error}\nWhat was finished is kept, and the same command goes on from there.")
    except EvaluationError as error:
        fail(f"{error}: {error.hint}" if error.hint else str(error))
    except (CommandError, DatasetError, ManifestError, TableError, PictureEgressRefusedError) as error:
        fail(str(error))


def reuse_predictions(folder: Path, request: Request, console: Console) -> PredictionOutcome:
    """Take the predictions of an earlier run; no model is asked."""
    try:
        typicality = _typicality(request)
        dataset = _load(request, console, typicality)
        manifest = read_manifest(folder)
        if manifest.data_hash != dataset.fingerprint:
            raise CommandError(f"{folder} holds predictions for other questions ({manifest.dataset})")
        return _outcome(folder, dataset, manifest, read_predictions(folder), typicality)
    except (CommandError, DatasetError, EvaluationError, ManifestError, TableError) as error:
        fail(str(error))


def merge_shards(folder: Path, request: Request, console: Console) -> PredictionOutcome:
    """Put the runs of all shards together, in the request's folder or one beside theirs; no model is asked."""
    out = request.asking.out or folder.with_name(f"{folder.name}-whole")
    try:
        typicality = _typicality(request)
        dataset = _load(request, console, typicality)
        return _outcome(out, dataset, *merge(folder, dataset, out), typicality)
    except (CommandError, DatasetError, EvaluationError, ManifestError, TableError) as error:
        fail(str(error))


def method_names(methods: str) -> list[str]:
    """Split and check a list of estimator names; "all" stands for every one.

    Raises:
        CommandError: If one is unknown, or none is given.
    """
    try:
        return prediction_run.method_names(methods.split(","))
    except EvaluationError as error:
        raise CommandError(str(error)) from error


def _typicality(request: Request) -> QuestionTypicality | None:
    return None if request.asking.reference is None else read_reference(request.asking.reference)


def _outcome(
    folder: Path,
    dataset: Dataset,
    manifest: RunManifest,
    rows: Sequence[Prediction],
    typicality: QuestionTypicality | None,
) -> PredictionOutcome:
    """Put an earlier run's answers together with the signal that is asked for now."""
    if typicality is not None:
        manifest, rows = with_typicality(manifest, rows, dataset, typicality)
    return PredictionOutcome(folder, dataset, manifest, rows)


def _load(request: Request, console: Console, typicality: QuestionTypicality | None) -> Dataset:
    dataset = request.questions.load(request.data, request.seed)
    if typicality is not None:
        check_others(typicality, dataset)
        if request.questions.limit is not None:  # a part of what a reference was made from is refused as well
            check_others(typicality, replace(request.questions, limit=None).load(request.data, request.seed))
    for what, count in (*dataset.skipped.items(), *dataset.notes.items()):
        console.print(f"{count} x {escape(what)}")
    return dataset if request.shard is None else request.shard.of(dataset)
