"""Measure CalibPrompt on real radiographs: `python -m benchmarks.calibprompt.radiology FOLDER --data VQA_RAD`.

What the shipped model learned from can show nothing of it, and the other pictures are few. So its recipe is run again
for each fifth of the pictures of the training, validation and calibration splits: a projection learns from one half of
the other pictures, shots are drawn from the second half, and the fifth is answered. The test split is left alone. A run
that was ended goes on where it was.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.calibprompt.folds import USED_SPLITS, Fold, divisions, prepare_fold, run_fold_case
from benchmarks.calibprompt.tuned import BASE_LOSS, Case, keep
from benchmarks.confidence.table import interval
from benchmarks.results import write_figures
from models.contrastive_radiology.labels import BODY_PART, MODALITY
from models.contrastive_radiology.stages import Plan, Workshop, features_stage
from models.staged_runs import begin_training
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.consistency import consistency_band
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics
from services.common.contrastive.model import ContrastiveModel
from services.common.contrastive.wording import Wording
from services.common.engine.parts.store import PartStore

SHOTS = {BODY_PART: (8, 16, 32), MODALITY: (8,)}
"""Task -> numbers of shots: of the modality too few pictures tell for more."""
FOLDS = 5
LOSSES = (BASE_LOSS, "both")
_COMPARED = {"accuracy": METRICS["accuracy"], "ECE": METRICS["ece"], "ACE": METRICS["ace"], "AUROC": METRICS["auroc"]}


def cases(most_shots: int) -> list[Case]:
    """List the combinations of at most so many shots, few shots first; a fold has the seed of its number."""
    listed = [
        Case(task, loss, shots, fold)
        for task, numbers in SHOTS.items()
        for shots in numbers
        for fold in range(FOLDS)
        for loss in LOSSES
    ]
    return sorted((case for case in listed if case.shots <= most_shots), key=lambda case: case.shots)


def main(
    folder: Annotated[Path, typer.Argument(help="Where features, probabilities and the table go.")],
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD: questions.jsonl and images/.")],
    parts: Annotated[Path | None, typer.Option(help="Where the frozen parts lie, by default in the folder.")] = None,
    most_shots: Annotated[int, typer.Option(min=8, help="Shots of a class at most, of 8, 16 and 32.")] = 32,
    resamples: Annotated[int, typer.Option(min=10, help="Bootstrap resamples.")] = 1000,
) -> None:
    """Tune every combination that is missing, then write the table."""
    log = begin_training()
    # Clean views alone: the recipe has no others of the calibration pictures, which take part here.
    shop = Workshop(data, folder, PartStore(parts or folder / "parts", log), Plan(augmented=0), 0, log)
    told = measure(shop, most_shots, resamples)
    write_figures(folder / "results.json", told)
    for row in told["rows"]:
        cells = (row[name] for name in ("task", "shots", "loss", "how", "n", "wrong", "mean_confidence"))
        sys.stdout.write("| " + " | ".join([*map(str, cells), *map(interval, row["figures"].values())]) + " |\n")


def measure(shop: Workshop, most_shots: int, resamples: int) -> dict[str, Any]:
    """Run what is missing in a workshop's folder, and give the table's figures."""
    features_stage(shop)
    known = [each for each in shop.labelled if each.split in USED_SPLITS]
    rows, divided = shop.rows(*USED_SPLITS), divisions([each.classes[BODY_PART] for each in known], FOLDS)
    asked = cases(most_shots)
    missing = [case for case in asked if not (shop.work / case.file).is_file()]
    model = ContrastiveModel(shop.untrained(), shop.tokenizer, None, Wording())
    folds: dict[int, Fold] = {}
    for number, case in enumerate(missing):
        if case.seed not in folds:
            folds[case.seed] = prepare_fold(shop, rows, divided[case.seed], case.seed)
        keep(shop.work, case, run_fold_case(model, folds[case.seed], case, shop.texts.served[case.family]))
        shop.log(f"{number + 1} of {len(missing)}: {case.file}")
    gold = {task: [labels[each.held].numpy() for each in divided] for task, labels in rows.labels.items()}
    found = [
        row
        for task, shots in dict.fromkeys((case.family, case.shots) for case in asked)
        for row in _table(shop.work, (task, shots), [each[each >= 0] for each in gold[task]], resamples)
    ]
    return {"pictures": len(known), "folds": FOLDS, "resamples": resamples, "rows": found}


def _table(
    folder: Path, combination: tuple[str, int], gold: Sequence[NDArray[np.int64]], resamples: int
) -> Iterator[dict[str, Any]]:
    task, shots = combination
    base: dict[str, Sampled] = {}
    for loss, how in _rows(untuned=shots == SHOTS[task][0]):
        kept = (Case(task, loss if how != "untuned" else BASE_LOSS, shots, fold) for fold in range(len(gold)))
        probabilities = [_kept(folder / case.file, how) for case in kept]
        confidence = np.clip(np.concatenate([each.max(axis=1) for each in probabilities]), 0, 1)
        right = np.concatenate([each.argmax(axis=1) == own for each, own in zip(probabilities, gold, strict=True)])
        found = sampled_metrics(confidence, right, _COMPARED, resamples=resamples)
        if (loss, how) == (BASE_LOSS, "plain"):
            base = found
        figures = {name: asdict(each.interval) for name, each in found.items()}
        figures["ECE by chance"] = asdict(consistency_band(confidence, METRICS["ece"], resamples=resamples))
        if base and base is not found:
            for name, own in base.items():
                figures[f"{name}, difference"] = asdict(metric_difference(found[name], own))
        yield {
            "task": task,
            "shots": shots if how != "untuned" else 0,
            "loss": loss,
            "how": how,
            "n": len(right),
            "wrong": int((~right).sum()),
            "mean_confidence": round(float(confidence.mean()), 4),
            "figures": _plain(figures),
        }


def _rows(*, untuned: bool) -> Iterator[tuple[str, str]]:
    if untuned:
        yield "none", "untuned"
    yield BASE_LOSS, "plain"
    yield BASE_LOSS, "scaled"
    yield "both", "plain"


def _kept(file: Path, how: str) -> NDArray[np.float64]:
    with np.load(file) as found:
        return np.asarray(found[how], dtype=np.float64)


def _plain(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        name: {end: None if value is None or math.isnan(value) else round(value, 4) for end, value in each.items()}
        for name, each in figures.items()
    }


if __name__ == "__main__":
    typer.run(main)
