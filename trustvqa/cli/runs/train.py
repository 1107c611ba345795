"""`trustvqa train`: improve a policy by reinforcement learning against the downstream service, and publish it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import stamina.instrumentation
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from services.common.registry.directory import Registry
from services.common.settings import CONFIG_VARIABLE, DEFAULT_CONFIG
from services.trainer.foreground import Foreground
from services.trainer.grpo.attempt import Result
from services.trainer.grpo.config import TrainingConfig
from services.trainer.grpo.config_file import ConfigError, load_training
from services.trainer.grpo.connection import Connection, ConnectionSettings, KeyRefusedError, check_reachable
from services.trainer.grpo.event_writer import EventWriter
from services.trainer.grpo.run import execute
from services.trainer.grpo.spec import RunError, Spec, prepare, read_spec
from services.trainer.grpo.stop_signals import stop_on_signals
from services.trainer.states import TransitionError
from trustvqa.cli.api_key import HINT
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.runs.options import DownstreamUrl, Model
from trustvqa.cli.runs.prediction_run import INTERRUPTED, with_key

_SHOWN = {"reward": "mean reward", "accuracy": "accuracy", "ece": "ECE", "mean_confidence": "mean confidence"} | {
    "confident_error_share": "errors stated at >= 0.9",
    "valid_rate": "valid replies",
}
_QUIET_LINES = 20


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
    downstream_url: DownstreamUrl = None,
    model: Model = None,
    registry: Annotated[Path | None, typer.Option(help="Directory of policies and calibrators.")] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="Write the run's folder, for services.trainer.grpo to execute.")
    ] = False,
) -> None:
    """Improve a policy by GRPO; the checkpoint that does best on the validation split becomes a new version.

    Ctrl-C ends the run after the step in progress with a checkpoint (status 130); --resume goes on from it, and from
    whatever a crash left.
    """
    console = Console(stderr=True)
    given = (out, policy, version, steps, seed, downstream_url, model, registry)
    try:
        with _named(config, resume):
            settings = with_key(ConnectionSettings(**_over(downstream_url, model, registry)))
        if resume is not None:
            if any(value is not None for value in given):
                fail("a run is resumed as it was begun: no other option goes with --resume", 2)
            folder, spec = resume, read_spec(resume)
        else:
            overrides = {"policy": policy, "version": version, "update.max_steps": steps, "seed": seed}
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
    _report(folder, spec, result)


class _Terminal:
    """A progress bar on a terminal, and one-line summaries everywhere."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("training", total=steps)

    def __enter__(self) -> _Terminal:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, record: Mapping[str, Any], steps: int) -> None:
        """Show a step, and now and then its figures."""
        self._bar.update(self._task, completed=record["step"], total=steps)
        if record["step"] % max(1, steps // _QUIET_LINES) == 0 or record.get("masked"):
            self._console.print(escape(one_line(record, steps)), highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Show what happened."""
        self._console.print(escape(text), highlight=False, soft_wrap=True)


def one_line(record: Mapping[str, Any], steps: int) -> str:
    """Sum a step up in a line.

    Args:
        record: The step's line of metrics.jsonl.
        steps: Steps of the run.
    """
    parts = [f"step {record['step']}/{steps}"]
    for name, label, form in (
        ("reward", "reward", ".3f"),
        ("kl", "KL", ".3f"),
        ("accuracy", "accuracy", ".2f"),
        ("ece", "ECE", ".2f"),
        ("confidence_mean", "confidence", ".2f"),
        ("confidence_sd", "spread", ".2f"),
        ("valid_rate", "valid", ".2f"),
        ("step_s", "s", ".1f"),
    ):
        if record.get(name) is not None:
            parts.append(f"{label} {format(float(record[name]), form)}")
    if record.get("masked"):
        parts.append(f"masked {record['masked']}")
    return "  ".join(parts)


def _begin(out: Path | None, training: TrainingConfig, settings: ConnectionSettings) -> tuple[Path, Spec]:
    connection = Connection.of(settings)
    try:
        Registry(settings.registry).seed(settings.shipped)
    except OSError as error:
        raise RunError(f"the registry {settings.registry} cannot be written: {error.strerror or error}") from error
    folder = out or settings.runs / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{training.version}"
    prepare(folder, training, connection)
    return folder, read_spec(folder)


def _check_downstream(connection: Connection, settings: ConnectionSettings) -> None:
    try:
        check_reachable(connection, settings.downstream_api_key)
    except KeyRefusedError as error:
        raise RunError(f"the downstream model at {connection.url} takes a key with the scope ask: {HINT}") from error
    except httpx.HTTPError as error:
        raise RunError(
            f"the downstream model at {connection.url} cannot be reached ({type(error).__name__}): is it running? "
            "`make up` starts it; --downstream-url names another"
        ) from error


def _execute(folder: Path, spec: Spec, settings: ConnectionSettings, console: Console) -> Result:
    stamina.instrumentation.set_on_retry_hooks([])  # what fails for good is counted and reported
    logging.getLogger("trl").setLevel(logging.ERROR)  # it tells of every masked sample at length
    record = Foreground(folder)
    try:
        record.begin(
            {"policy": spec.config.policy, "version": spec.config.version, "steps": spec.config.update.max_steps}
        )
    except TransitionError as error:
        raise RunError(str(error)) from error
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}") from error
    try:
        with stop_on_signals() as stop, _Terminal(console, spec.config.update.max_steps) as terminal:
            result = execute(folder, observer=EventWriter(folder, terminal), key=settings.downstream_api_key, stop=stop)
    except RunError as error:
        with suppress(OSError):  # the list of runs then finds out by itself that this process is gone
            record.end("failed", str(error))
        raise
    with suppress(OSError):
        record.end("cancelled" if result.stopped else "succeeded")
    return result


def _report(folder: Path, spec: Spec, result: Result) -> None:
    console = Console()
    if result.stopped:
        console.print(
            f"stopped at step {result.step}; `trustvqa train --resume {escape(str(folder))}` goes on from there",
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED)
    if result.before and result.best:
        table = Table(title=f"validation split, {result.best['n']} questions, in brackets 95 % intervals")
        for heading in ("", "before", f"after (step {result.best['step']})"):
            table.add_column(heading)
        for name, label in _SHOWN.items():
            table.add_row(label, *(_cell(each["metrics"][name]) for each in (result.before, result.best)))
        console.print(table, highlight=False)
    if result.published is None:
        console.print(escape(result.remark), soft_wrap=True)
        return
    version = spec.config.version
    console.print(f"published {escape(str(result.published))}", highlight=False, soft_wrap=True)
    console.print(f"to make it live: curl -X POST http://127.0.0.1:8081/v1/policies/{version}/activate", soft_wrap=True)


def _cell(interval: Mapping[str, float | None]) -> str:
    if None in interval.values():
        return "not defined"
    return f"{interval['value']:.3f} ({interval['low']:.3f}-{interval['high']:.3f})"


def _over(downstream_url: str | None, model: str | None, registry: Path | None) -> dict[str, Any]:
    given = {"downstream_url": downstream_url, "downstream_model": model, "registry": registry}
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def _named(config: Path, resume: Path | None) -> Iterator[None]:
    """Have settings read from the file that was named; a resumed run needs of them the API key alone."""
    before = os.environ.get(CONFIG_VARIABLE)
    if resume is None:
        os.environ[CONFIG_VARIABLE] = str(config)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(CONFIG_VARIABLE, None)
        else:
            os.environ[CONFIG_VARIABLE] = before
