"""Display of a training or tuning run in a terminal: its progress, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.trainer.grpo.attempt import TrainingResult
from services.trainer.tuning.execute import TuningResult
from services.trainer.tuning.publication import SHOWN as TUNING_SHOWN
from trustvqa.cli.runs.progress import counting_bar

_SHOWN = {"reward": "mean reward", "accuracy": "accuracy", "ece": "ECE", "mean_confidence": "mean confidence"} | {
    "confident_error_share": "errors stated at >= 0.9",
    "valid_rate": "valid replies",
}
_QUIET_LINES = 20


class TrainingProgress:
    """A progress bar on a terminal, and one-line summaries everywhere.

    Args:
        console: Where to.
        steps: Steps of the run.
        unit: A step's name.
    """

    def __init__(self, console: Console, steps: int, unit: str = "step") -> None:
        self._console = console
        self._unit = unit
        self._bar = counting_bar(console, disable=not console.is_terminal)
        self._task = self._bar.add_task("training", total=steps)

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, record: Mapping[str, Any], steps: int) -> None:
        """Show a step, and now and then its figures."""
        self._bar.update(self._task, completed=record["step"], total=steps)
        if record["step"] % max(1, steps // _QUIET_LINES) == 0 or record.get("masked"):
            self._console.print(escape(one_line(record, steps, self._unit)), highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Show what happened."""
        self._console.print(escape(text), highlight=False, soft_wrap=True)


def one_line(record: Mapping[str, Any], steps: int, unit: str = "step") -> str:
    """Sum a step up in a line.

    Args:
        record: The step's line of metrics.jsonl.
        steps: Steps of the run.
        unit: A step's name.
    """
    parts = [f"{unit} {record['step']}/{steps}"]
    for name, label, form in (
        ("loss", "loss", ".3f"),
        ("cross_entropy", "cross-entropy", ".3f"),
        ("calibration", "SMAC", ".3f"),
        ("separation", "separation", ".3f"),
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


def print_training(result: TrainingResult, version: str, console: Console) -> None:
    """Print a finished run: its figures before and after, and the version that it published.

    Args:
        result: The run's end.
        version: Name of the version.
        console: Where to.
    """
    if result.before and result.best:
        _compare(result.before, result.best, f"after (step {result.best['step']})", _SHOWN, console)
    if result.published is None:
        console.print(escape(result.remark), soft_wrap=True)
        return
    console.print(f"published {escape(str(result.published))}", highlight=False, soft_wrap=True)
    console.print(f"to make it live: trustvqa policies --activate {escape(version)}", soft_wrap=True)


def print_tuning(told: Mapping[str, Any], result: TuningResult, console: Console) -> None:
    """Print a finished tuning: its figures before and after, and where the model is.

    Args:
        told: What `describe_tuning` says of it.
        result: The run's end.
        console: Where to.
    """
    _compare(told["before"], told["after"], "after", TUNING_SHOWN, console)
    console.print(f"published {escape(str(result.published))}", highlight=False, soft_wrap=True)
    console.print(
        "to serve it: name that directory as model_path of the downstream service, under a name of its own",
        highlight=False,
        soft_wrap=True,
    )


def _compare(
    before: Mapping[str, Any], after: Mapping[str, Any], heading: str, shown: Mapping[str, str], console: Console
) -> None:
    table = Table(title=f"validation split, {after['n']} questions, in brackets 95 % intervals")
    for each in ("", "before", heading):
        table.add_column(each)
    for name, label in shown.items():
        table.add_row(label, *(_cell(each["metrics"][name]) for each in (before, after)))
    console.print(table, highlight=False)


def _cell(interval: Mapping[str, float | None]) -> str:
    if None in interval.values():
        return "not defined"
    return f"{interval['value']:.3f} ({interval['low']:.3f}-{interval['high']:.3f})"
