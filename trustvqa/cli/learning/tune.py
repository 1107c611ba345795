"""`trustvqa tune`: tune a contrastive model's context by CalibPrompt, and publish it as a model to serve."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from prompt4trust.datasets import DatasetError, parse_columns
from services.common.startup import SettingsFaultError, settings_of
from services.trainer.errors import RunError
from services.trainer.grpo.connection import ConnectionSettings
from services.trainer.settings import TrainerSettings
from services.trainer.tuning.config import TuningConfig, TuningSpec
from services.trainer.tuning.execute import TuningResult, execute
from services.trainer.tuning.journal import describe_tuning
from services.trainer.tuning.preparing import prepare, read_spec
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.learning.display import TrainingProgress, print_tuning
from trustvqa.cli.learning.foreground_run import end_stopped, new_folder, run_on_record
from trustvqa.cli.option_groups import grouped
from trustvqa.cli.output import BesideJson, print_json
from trustvqa.cli.runs import tables
from trustvqa.cli.runs.options import Columns, Format, Images, SkipBad

_FIELDS = TuningConfig.model_fields


def _default(name: str) -> str:
    return f"; by default {_FIELDS[name].default}."


@dataclass(frozen=True, slots=True)
class QuestionFiles:
    """The questions: files of any format that `trustvqa evaluate --data` reads."""

    train: Annotated[
        Path | None, typer.Option(help="Questions that shots are drawn from; their options are the classes.")
    ] = None
    validation: Annotated[
        Path | None, typer.Option(help="Other questions, by which the context is measured and not chosen.")
    ] = None
    images: Images = None
    skip_bad: SkipBad = False
    kind: Format = None
    columns: Columns = None


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """The tuning's own numbers; None for the default."""

    shots: Annotated[int | None, typer.Option(help=f"Questions of each class{_default('shots')}")] = None
    epochs: Annotated[int | None, typer.Option(help=f"Passes over the shots{_default('epochs')}")] = None
    batch: Annotated[int | None, typer.Option(help=f"Questions a step{_default('batch')}")] = None
    length: Annotated[int | None, typer.Option(help=f"Vectors of the context{_default('length')}")] = None
    learning_rate: Annotated[
        float | None, typer.Option(help=f"Step size at its highest{_default('learning_rate')}")
    ] = None
    alpha: Annotated[float | None, typer.Option(help=f"Label smoothing{_default('alpha')}")] = None
    calibration: Annotated[
        float | None, typer.Option(help=f"Weight of the calibration loss{_default('calibration')}")
    ] = None
    separation: Annotated[
        float | None, typer.Option(help=f"Weight of the separation of the classes' texts{_default('separation')}")
    ] = None
    seed: Annotated[int | None, typer.Option(help=f"Of the shots, the context and the order{_default('seed')}")] = None


@grouped
def tune(
    *,
    version: Annotated[str | None, typer.Option(help="Name of the model to publish; it must be new.")] = None,
    files: QuestionFiles,
    model: Annotated[
        str | None,
        typer.Option(help=f"Contrastive model to begin with, of the registry or shipped{_default('model')}"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; by default a new one in var/runs.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder, as it was begun.")] = None,
    registry: Annotated[Path | None, typer.Option(help="Directory that the model is published in.")] = None,
    tuning: TuningOptions,
    as_json: BesideJson = False,
) -> None:
    """Tune the context of a contrastive model by CalibPrompt on a few questions a class, and publish the new model.

    Ctrl-C ends the run after the epoch in progress with a checkpoint (status 130); --resume goes on from it, and from
    whatever a crash left. `trustvqa runs` shows it among the trainer's, and `trustvqa report` draws its folder.
    """
    console = Console(stderr=True)
    given = [version, model, out, registry, *asdict(files).values(), *asdict(tuning).values()]
    try:
        if resume is not None:
            if any(value is not None and value is not False for value in given):
                fail("a run is resumed as it was begun: no other option goes with --resume", 2)
            folder, spec = resume, read_spec(resume)
        else:
            settings = _read_settings(registry)
            config = _configure(version, model, files, tuning)
            folder = out or new_folder(settings.runs, config.version)
            spec = prepare(folder, config, settings.registry, settings.shipped, settings.data, settings.parts)
        console.print(
            f"run {escape(str(folder))}: {spec.config.epochs} epochs from {escape(spec.config.model)}", soft_wrap=True
        )
        result = _execute(folder, spec, console)
    except (CommandError, DatasetError, RunError) as error:
        fail(str(error))
    told = tables.console(beside_json=as_json)
    if as_json:
        print_json({"run": str(folder), **asdict(result)})
    if result.stopped:
        end_stopped("tune", folder, f"epoch {result.epoch}", told)
    print_tuning(describe_tuning(folder), result, told)


def _configure(version: str | None, model: str | None, files: QuestionFiles, tuning: TuningOptions) -> TuningConfig:
    """Make the run's configuration of the options.

    Raises:
        CommandError: If one is missing, or a value is wrong.
        DatasetError: If the columns named cannot be used.
    """
    needed = {"--version": version, "--train": files.train, "--validation": files.validation}
    if missing := [name for name, value in needed.items() if value is None]:
        raise CommandError(f"{', '.join(missing)} must be given")
    same = {
        "images": None if files.images is None else files.images.absolute(),
        "on_bad": "skip" if files.skip_bad else "error",
        "format": files.kind,
        "columns": None if files.columns is None else parse_columns(files.columns),
    }
    data = {
        name: {"kind": "file", "path": path.absolute(), **same}
        for name, path in (("train", files.train), ("validation", files.validation))
        if path is not None
    }
    named = {"version": version, "model": model, **asdict(tuning)}
    try:
        return TuningConfig.model_validate({**data, **{name: each for name, each in named.items() if each is not None}})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][-1]).replace("_", "-")
        raise CommandError(f"--{option}: {first['msg'].removeprefix('Value error, ')}") from error


def _execute(folder: Path, spec: TuningSpec, console: Console) -> TuningResult:
    config = spec.config
    request: dict[str, Any] = {"model": config.model, "version": config.version, "epochs": config.epochs}
    with TrainingProgress(console, config.epochs, "epoch") as terminal:
        return run_on_record(folder, "calibprompt", request, lambda stop: execute(folder, stop=stop, observer=terminal))


def _read_settings(registry: Path | None) -> ConnectionSettings:
    given = {} if registry is None else {"registry": registry}
    try:
        return settings_of(ConnectionSettings, given, whole=TrainerSettings)
    except SettingsFaultError as error:
        raise CommandError(str(error)) from error
