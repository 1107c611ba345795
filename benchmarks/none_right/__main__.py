"""Where no option is right, beside the questions as asked: python -m benchmarks.none_right.

Reads runs of `trustvqa evaluate`, those of validation and test with `--probe right-option-removed`: one that families
are fitted on, one that they are chosen on, one that thresholds of deferral are proved on, and one that is reported. No
answer of a probe is fitted on. Each family is fitted with and without what a reply says before its letter, and the
differences are paired, question by question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.confidence.figures import Row, fitted, row
from benchmarks.confidence.table import interval
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation import Prediction, choose_family, read_predictions
from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.intervals import Sampled, sampled_metrics

_PROBE: Final = "probe-right-option-removed"
_OF_WORDS: Final = ("reply_support", "words_agree")
"""Signals of what a reply says before its letter."""
_BEFORE: Final = "two-signal, without words"
"""The calibrator of the default method before these signals."""
WAYS: Final[Mapping[str, tuple[str, bool]]] = {
    _BEFORE: ("two-signal", False),
    "several-signal, without words": ("several-signal", False),
    "two-signal": ("two-signal", True),
    "several-signal": ("several-signal", True),
}
"""Name -> family, and whether it is told what a reply says before its letter."""
_SHOWN: Final = {
    "auroc": "AUROC",
    "nll": "log loss",
    "ece": "ECE",
    "confident_errors": "errors at 0.9",
    "answered_at_5": "answered at 5 %",
    "wrong_at_5": "wrong",
    "answered_at_10": "answered at 10 %",
    "wrong_at_10": "wrong",
    "none_right_confident_errors": "errors at 0.9, no option right",
    "none_right_mean_confidence": "mean confidence there",
}


def main(
    fitting: Annotated[Path, typer.Option(help="Run that families are fitted on.")],
    validation: Annotated[Path, typer.Option(help="Run that they are chosen on, with its probe.")],
    guard: Annotated[Path, typer.Option(help="Run that thresholds are proved on.")],
    test: Annotated[Path, typer.Option(help="Run that is reported, with its probe.")],
    method: Annotated[str, typer.Option(help="The method of the answers.")] = "cgp+logprob",
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples, by picture.")] = 1000,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "none_right"
    / "results.json",
) -> None:
    """Fit each way, choose a family, and measure all on the reported run, as asked and without a right option."""
    runs = {
        name: answers(path, method)
        for name, path in (("fitting", fitting), ("validation", validation), ("guard", guard), ("test", test))
    }
    probes = {name: answers(path / _PROBE, method) for name, path in (("validation", validation), ("test", test))}
    choice = choose_family(runs["fitting"], runs["validation"], dataset="validation", resamples=resamples)
    console, measured = Console(width=240), {}
    on_validation = {}
    for name, (family, with_words) in WAYS.items():
        told = {run: rows if with_words else without_words(rows) for run, rows in runs.items()}
        calibrator = fitted(method, told["fitting"], family=family)
        found = row(method, *(told[run] for run in ("fitting", "guard", "test")), family=family, resamples=resamples)
        measured[name] = _with_probe(found, told["test"], probes["test"], calibrator, resamples)
        on_validation[name] = confident_errors(probes["validation"], calibrator, resamples).interval.as_json()
    paired = {name: each.less(measured[_BEFORE]) for name, each in measured.items() if name != _BEFORE}
    console.print(_table(choice.chosen, measured, on_validation))
    for name, each in paired.items():
        told_of = ", ".join(f"{shown} {interval(each[key])}" for key, shown in _SHOWN.items())
        console.print(f"{name} less {_BEFORE}: {told_of}")
    write_figures(
        output,
        {
            "method": method,
            "n": {**{name: len(rows) for name, rows in runs.items()}, f"{_PROBE} of test": len(probes["test"])},
            "chosen": choice.chosen,
            "candidates": [each.model_dump(mode="json") for each in choice.candidates],
            "agreement": {name: agreement(rows) for name, rows in (("test", runs["test"]), (_PROBE, probes["test"]))},
            "rows": {name: each.as_json() for name, each in measured.items()},
            "confident errors on the probe of validation": on_validation,
            "paired": paired,
        },
    )


def answers(path: Path, method: str) -> list[Prediction]:
    """Read a run's answers of a method that have a known truth, by question, so that runs of one data set pair."""
    found = (each for each in read_predictions(path) if each.estimator == method and each.is_labelled)
    return sorted(found, key=lambda each: each.id)


def without_words(rows: Sequence[Prediction]) -> list[Prediction]:
    """Leave out of answers' signals what a reply says before its letter."""
    return [
        each.model_copy(update={"signals": {key: value for key, value in each.signals.items() if key not in _OF_WORDS}})
        for each in rows
    ]


def agreement(rows: Sequence[Prediction]) -> dict[str, int]:
    """Count answers by what the reply says before the letter: the option, another finding, or nothing to go by."""
    said = {1.0: "agrees", 0.0: "another finding", 0.5: "no opinion"}
    found = [said[each.signals["words_agree"]] for each in rows if "words_agree" in each.signals]
    return {each: found.count(each) for each in said.values()}


def confident_errors(rows: Sequence[Prediction], calibrator: CalibratorArtifact, resamples: int) -> Sampled:
    """Measure the share of errors that a calibrator has at 0.9 or more."""
    return _measured(rows, calibrator, resamples)["confident_error_share"]


def _measured(rows: Sequence[Prediction], calibrator: CalibratorArtifact, resamples: int) -> dict[str, Sampled]:
    corrected = PredictionArrays.of(rows).calibrated(calibrator)
    wanted = {name: METRICS[name] for name in ("confident_error_share", "mean_confidence")}
    return sampled_metrics(
        corrected.confidence, corrected.correct, wanted, clusters=corrected.clusters, resamples=resamples
    )


def _with_probe(
    found: Row, test: Sequence[Prediction], probe: Sequence[Prediction], calibrator: CalibratorArtifact, resamples: int
) -> Row:
    """Add to a row the confident errors as asked, and figures of the same questions without a right option."""
    spoilt = _measured(probe, calibrator, resamples)
    metrics = {
        **found.metrics,
        "confident_errors": confident_errors(test, calibrator, resamples),
        "none_right_confident_errors": spoilt["confident_error_share"],
        "none_right_mean_confidence": spoilt["mean_confidence"],
    }
    return Row(found.method, found.family, found.n, found.calls, found.seconds, metrics)


def _table(chosen: str, rows: Mapping[str, Row], on_validation: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title=f"chosen: {chosen}", title_justify="left")
    for head in ("way", *_SHOWN.values(), "errors at 0.9, no option right, validation"):
        table.add_column(head)
    for name, each in rows.items():
        figures = {key: sampled.interval.as_json() for key, sampled in each.metrics.items()}
        table.add_row(name, *(interval(figures[key]) for key in _SHOWN), interval(on_validation[name]))
    return table


if __name__ == "__main__":
    typer.run(main)
