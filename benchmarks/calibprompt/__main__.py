"""Measure CalibPrompt: `python -m benchmarks.calibprompt FOLDER` (or `make bench-calibprompt`).

A run that was ended goes on where it was. The test pictures are those of the benchmark's test split, seed 0; the shots
are of the train split and, for the temperature, of the calibration split, seed 11: no picture of the model's training.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.calibprompt.figures import (
    ERRORS,
    RESAMPLED,
    Answers,
    figure,
    mean_difference,
    mean_error,
    resampled,
    sampled_errors,
)
from benchmarks.calibprompt.tuned import BASE_LOSS, LOSSES, Case, Split, cases, encode_split, keep, run_case
from benchmarks.confidence.table import interval
from benchmarks.results import write_figures
from services.common.contrastive.model import ContrastiveModel

_TEST_SEED, _SHOTS_SEED = 0, 11


def main(
    folder: Annotated[Path, typer.Argument(help="Where probabilities and the table go.")],
    model: Annotated[Path, typer.Option(help="The contrastive model.")] = Path("models/contrastive-mini-1"),
    shots: Annotated[str, typer.Option(help="Numbers of shots, with commas between them.")] = "8,16,32",
    seeds: Annotated[int, typer.Option(min=1, help="Seeds.")] = 5,
    families: Annotated[str, typer.Option(help="Tasks, with commas between them.")] = "modality,size",
    pictures: Annotated[int, typer.Option(min=50, help="Test pictures.")] = 2000,
    pool: Annotated[int, typer.Option(min=50, help="Pictures that shots are drawn from, of either split.")] = 1200,
    resamples: Annotated[int, typer.Option(min=10, help="Bootstrap resamples.")] = 1000,
) -> None:
    """Tune every combination that is missing, then write the table."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = list(cases(families.split(","), [int(each) for each in shots.split(",")], seeds))
    made = ContrastiveModel.load(model)
    test = encode_split(made, pictures, "test", _TEST_SEED)
    missing = [case for case in asked if not (folder / case.file).is_file()]
    if missing:
        train, held = (encode_split(made, pool, split, _SHOTS_SEED) for split in ("train", "calibration"))
        for number, case in enumerate(missing):
            keep(folder, case, run_case(made, case, train, held, test))
            sys.stdout.write(f"{number + 1} of {len(missing)}: {case.file}\n")
            sys.stdout.flush()
    rows = list(_table(folder, asked, test, resamples))
    told = {"model": model.name, "families": families, "seeds": seeds, "pictures": pictures, "pool": pool}
    write_figures(folder / "results.json", {**told, "resamples": resamples, "rows": rows})
    for row in rows:
        cells = (row[name] for name in ("shots", "loss", "how"))
        sys.stdout.write("| " + " | ".join([*map(str, cells), *map(interval, row["figures"].values())]) + " |\n")


def _table(folder: Path, asked: list[Case], test: Split, resamples: int) -> Iterator[dict[str, Any]]:
    pictures = len(test.pictures)
    for shots in sorted({case.shots for case in asked}):
        base = None
        for loss in LOSSES:
            chosen = [case for case in asked if (case.shots, case.loss) == (shots, loss)]
            for how in ("untuned", "plain", "scaled") if loss == BASE_LOSS else ("plain", "scaled"):
                once = [case for case in chosen if case.seed == 0] if how == "untuned" else chosen
                answers = [_answers(folder, case, how, test) for case in once]
                means = resampled(answers, pictures, resamples)
                of_models = [sampled_errors(each, resamples) for each in answers]
                errors = {name: [each[name] for each in of_models] for name in ERRORS}
                if (loss, how) == (BASE_LOSS, "plain"):
                    base = means, errors
                figures = {name: figure(means[name]) for name in RESAMPLED}
                figures |= {name: mean_error(errors[name]) for name in ERRORS}
                if base is not None and base[0] is not means:
                    figures["accuracy, difference"] = figure(means["accuracy"] - base[0]["accuracy"])
                    figures["ECE, difference"] = mean_difference(errors["ECE"], base[1]["ECE"])
                row = {"shots": shots, "loss": loss if how != "untuned" else "none", "how": how}
                yield {**row, "figures": {name: asdict(found) for name, found in figures.items()}}


def _answers(folder: Path, case: Case, how: str, test: Split) -> Answers:
    with np.load(folder / case.file) as found:
        probabilities = found[how].astype(np.float64)
    labels = test.labels[case.family]
    known = np.flatnonzero(labels >= 0)
    return Answers(known, np.clip(probabilities.max(axis=1), 0, 1), probabilities.argmax(axis=1) == labels[known])


if __name__ == "__main__":
    typer.run(main)
