"""`trustvqa train`: improve a policy by reinforcement learning against the downstream service, and publish it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import stamina.instrumentation
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from services.common.registry.directory import Registry
from services.common.settings import DEFAULT_CONFIG
from services.common.startup import SettingsFaultError, settings_of
from services.trainer.downstream_address import check_downstream
from services.trainer.errors import ConfigError, KeyRefusedError, RunError, WrongAddressError
from services.trainer.grpo.attempt import TrainingResult
from services.trainer.grpo.config.config_file import load_training
from services.trainer.grpo.config.training_config import TrainingConfig
from services.trainer.grpo.connection import Connection, ConnectionSettings
from services.trainer.grpo.event_writer import EventWriter
from services.trainer.grpo.run import execute
from services.trainer.grpo.spec import TrainingSpec, prepare, read_spec
from services.trainer.settings import TrainerSettings
from trustvqa.cli.api_key import HINT
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.learning.display import TrainingProgress, print_training
from trustvqa.cli.learning.foreground_run import end_stopped, new_folder, run_on_record
from trustvqa.cli.learning.options import parse_curriculum, parse_reward
from trustvqa.cli.output import BesideJson, print_json
from trustvqa.cli.runs import tables
from trustvqa.cli.runs.options import DownstreamUrl, Model
from trustvqa.cli.runs.prediction_run import found_on, with_key


def train(
    config: Annotated[
        Path, typer.Option(help="Configuration with the sections trainer and training.")
    ] = DEFAULT_CONFIG,
    out: Annotated[Path | None, typer.Option(help="The run's folder; by default a new one in var/runs.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder, as it was begun.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="Policy to begin with: a version, a folder, or a hub name.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Name of the version to publish.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the run.")] = None,
    reward: Annotated[
        str | None, typer.Option(help="A proper score, or a weighted sum such as brier=1,tail_weighted=0.5.")
    ] = None,
    curriculum: Annotated[
        str | None, typer.Option(help="Order of the questions by difficulty: first=easy,start_share=0.25,steps=100.")
    ] = None,
    downstream_url: DownstreamUrl = None,
    model: Model = None,
    registry: Annotated[Path | None, typer.Option(help="Directory of policies and calibrators.")] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="Write the run's folder, for services.trainer.grpo to execute.")
    ] = False,
    as_json: BesideJson = False,
) -> None:
    """Improve a policy by GRPO; the checkpoint that does best on the validation split becomes a new version.

    Ctrl-C ends the run after the step in progress with a checkpoint (status 130); --resume goes on from it, and from
    whatever a crash left.
    """
    console = Console(stderr=True)
    given = (out, policy, version, steps, seed, reward, curriculum, downstream_url, model, registry)
    try:
        settings = with_key(_read_settings(None if resume else config, downstream_url, model, registry))
        if resume is not None:
            if any(value is not None for value in given):
                fail("a run is resumed as it was begun: no other option goes with --resume", 2)
            folder, spec = resume, read_spec(resume)
        else:
            overrides: dict[str, Any] = {"policy": policy, "version": version, "update.max_steps": steps, "seed": seed}
            if reward is not None:
                overrides["reward"] = _read("--reward", parse_reward, reward)
            if curriculum is not None:
                overrides["curriculum"] = _read("--curriculum", parse_curriculum, curriculum)
            training = load_training(config, {name: value for name, value in overrides.items() if value is not None})
            folder, spec = _begin(out, training, settings)
        if prepare_only:
            typer.echo(str(folder))
            return
        _check_downstream(spec.connection, settings)
        console.print(
            f"run {escape(str(folder))}: {spec.config.update.max_steps} steps from {escape(spec.config.policy)}"
        )
        result = _execute(folder, spec, settings, console)
    except (CommandError, ConfigError, RunError, FileNotFoundError) as error:
        fail(str(error))
    except ValidationError as error:
        fail(f"{'.'.join(map(str, error.errors()[0]['loc']))}: {error.errors()[0]['msg']}")
    if as_json:
        print_json({"run": str(folder), **asdict(result)})
    console = tables.console(beside_json=as_json)
    if result.stopped:
        end_stopped("train", folder, f"step {result.step}", console)
    print_training(result, spec.config.version, console)


def _read(option: str, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        fail(f"{option}: {error}", 2)


def _begin(out: Path | None, training: TrainingConfig, settings: ConnectionSettings) -> tuple[Path, TrainingSpec]:
    connection = Connection.of(settings)
    try:
        Registry(settings.registry).seed(settings.shipped)
    except OSError as error:
        raise RunError(f"the registry {settings.registry} cannot be written: {error.strerror or error}") from error
    folder = out or new_folder(settings.runs, training.version)
    prepare(folder, training, connection)
    return folder, read_spec(folder)


def _check_downstream(connection: Connection, settings: ConnectionSettings) -> None:
    try:
        check_downstream(connection.url, settings.downstream_api_key)
    except WrongAddressError as error:
        raise RunError(f"{error}: name it with --downstream-url {error.better}") from error
    except KeyRefusedError as error:
        raise RunError(f"the downstream model at {connection.url} takes a key with the scope ask: {HINT}") from error
    except httpx.HTTPError as error:
        raise RunError(
            f"the downstream model at {connection.url} cannot be reached ({type(error).__name__}): is it running? "
            "`make up` starts it; --downstream-url names another"
        ) from error


def _execute(folder: Path, spec: TrainingSpec, settings: ConnectionSettings, console: Console) -> TrainingResult:
    stamina.instrumentation.set_on_retry_hooks([])  # what fails for good is counted and reported
    logging.getLogger("trl").setLevel(logging.ERROR)  # it tells of every masked sample at length
    steps = spec.config.update.max_steps
    request = {"policy": spec.config.policy, "version": spec.config.version, "steps": steps}

    with TrainingProgress(console, steps, "step") as terminal:

        def work(stop: threading.Event) -> TrainingResult:
            observer = EventWriter(folder, terminal)
            return execute(folder, observer=observer, key=settings.downstream_api_key, stop=stop)

        return run_on_record(folder, "training", request, work)


def _read_settings(
    config: Path | None, downstream_url: str | None, model: str | None, registry: Path | None
) -> ConnectionSettings:
    """Read the section `trainer` of the file; a resumed run, which names none, needs of it the API key alone."""
    values = {"downstream_url": downstream_url, "downstream_model": model, "registry": registry}
    given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    try:
        read = settings_of(ConnectionSettings, given, file=config, whole=TrainerSettings)
    except SettingsFaultError as error:
        raise CommandError(str(error)) from error
    return found_on(read, given)
