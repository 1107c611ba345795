"""Families of calibrators beside each other on the same answers: python -m benchmarks.confidence.families.

Reads runs of `trustvqa evaluate`: one that families are fitted on, one that they are chosen on, one that thresholds of
deferral are proved on, and one that is reported. What the last family is to each of the others is told question by
question. Where that is `correctness`, which has the words of question and answer, so is the same for the confidence
without further signals, as models give that tell no probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.confidence.figures import Row, row
from benchmarks.confidence.table import interval
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from prompt4trust.calibration import Correctness, FamilyChoice, get_family
from prompt4trust.evaluation import Prediction, choose_family, read_predictions
from prompt4trust.evaluation.prediction_arrays import fitting_rows, signal_columns
from prompt4trust.question_signals.words import DESCRIBED, is_word

FAMILIES: Final = ("two-signal", "several-signal", "correctness")
ALONE: Final = ("platt", "isotonic", "correctness")
"""Families for the confidence without further signals."""
_SHOWN: Final = {
    "auroc": "AUROC",
    "aurc": "AURC",
    "nll": "log loss",
    "ece": "ECE",
    "answered_at_5": "answered at 5 %",
    "wrong_at_5": "wrong",
    "answered_at_10": "answered at 10 %",
    "wrong_at_10": "wrong",
}


def main(
    fitting: Annotated[Path, typer.Option(help="Run that families are fitted on.")],
    guard: Annotated[Path, typer.Option(help="Run that thresholds are proved on.")],
    test: Annotated[Path, typer.Option(help="Run that is reported.")],
    validation: Annotated[Path | None, typer.Option(help="Run that they are chosen on; else folds choose.")] = None,
    families: Annotated[
        str, typer.Option(help="With commas between; the last is compared with the others.")
    ] = ",".join(FAMILIES),
    method: Annotated[str, typer.Option(help="The method of the answers.")] = "cgp+logprob",
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples, by picture.")] = 1000,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "confidence"
    / "results-words.json",
) -> None:
    """Fit each family, choose one, and measure all on the run that is reported."""
    paths = {"fitting": fitting, "validation": validation, "guard": guard, "test": test}
    runs = {
        name: [each for each in read_predictions(path) if each.estimator == method and each.is_labelled]
        for name, path in paths.items()
        if path is not None
    }
    console = Console(width=240)
    result: dict[str, Any] = {"method": method, "n": {name: len(rows) for name, rows in runs.items()}}
    asked = tuple(name.strip() for name in families.split(","))
    parts = [("all signals", asked, runs)]
    if asked[-1] == ALONE[-1]:
        without = {name: [_without_signals(each) for each in found] for name, found in runs.items()}
        parts.append(("confidence alone", ALONE, without))
    for what, compared, rows in parts:
        choice = choose_family(rows["fitting"], rows.get("validation"), dataset="validation", families=compared)
        found = {
            family: row(
                method, *(rows[name] for name in ("fitting", "guard", "test")), family=family, resamples=resamples
            )
            for family in compared
        }
        last = found[compared[-1]]
        paired = {f"{last.family} less {family}": last.less(found[family]) for family in compared[:-1]}
        console.print(_table(what, choice, list(found.values())))
        for name, each in paired.items():
            said = ", ".join(f"{shown} {interval(each[key])}" for key, shown in _SHOWN.items() if shown != "wrong")
            console.print(f"{name}: {said}")
        result[what] = {
            "chosen": choice.chosen,
            "candidates": [each.model_dump(mode="json") for each in choice.candidates],
            "rows": [each.as_json() for each in found.values()],
            "paired": paired,
            **({"words": _weights(rows["fitting"])} if last.family == "correctness" else {}),
        }
    write_figures(output, result)


def _table(what: str, choice: FamilyChoice, rows: Sequence[Row]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title=f"{what}; chosen: {choice.chosen}", title_justify="left")
    for head in ("family", *_SHOWN.values()):
        table.add_column(head, no_wrap=True)
    for each in rows:
        figures = {name: sampled.interval.as_json() for name, sampled in each.metrics.items()}
        table.add_row(each.family, *(interval(figures[name]) for name in _SHOWN))
    table.caption = "; ".join(f"{each.family}: {each.refused}" for each in choice.candidates if each.refused)
    return table


def _weights(rows: Sequence[Prediction]) -> dict[str, object]:
    """Describe what the words of a fit are worth: their number, the prior's spread, and the largest weights."""
    usable = fitting_rows(rows)
    fitted = get_family("correctness").fit(
        [each.confidence or 0.0 for each in usable], [each.correct for each in usable], signal_columns(usable)
    )
    assert isinstance(fitted, Correctness)
    weights = sorted(zip(fitted.weights, fitted.words, strict=True), key=lambda each: -abs(each[0]))
    return {"n": len(weights), "spread": fitted.spread, "largest": {name: weight for weight, name in weights[:10]}}


def _without_signals(each: Prediction) -> Prediction:
    kept = {name: value for name, value in each.signals.items() if is_word(name) or name == DESCRIBED}
    return each.model_copy(update={"signals": kept})


if __name__ == "__main__":
    typer.run(main)
