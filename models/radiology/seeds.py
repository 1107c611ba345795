"""Figures of several trainings that differ by their seed alone: `python -m models.radiology.seeds`.

Each model is asked in float32, without a service; its calibrator and guard are its own, fitted as for what ships.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from models.radiology.bench import Bench, open_bench
from models.radiology.data.questions import Asked
from models.radiology.export import other_pictures
from models.radiology.guidance import rounded
from models.radiology.guided import Evidence, evidence_of, figures_of, plain_rows, questions_by_part
from models.radiology.results import Pairs, control, table
from models.staged_runs import begin_training
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.selection_trials import checked_answers
from prompt4trust.files import write_atomically
from prompt4trust.metrics import METRICS, summarize
from services.common.engine.parts.store import PartStore

METHOD = "logprob"
BLANK, OTHER = "blank picture", "another picture"
_SHOWN = ("accuracy", "mean_confidence", "ece", "auroc")
_SOURCES: Mapping[str, Sequence[str]] = {
    "all": ("asked", "generated"),
    "asked": ("asked",),
    "generated": ("generated",),
}


@dataclass(frozen=True, slots=True)
class Sitting:
    """Answers of one training's model, and what was fitted on them.

    Attributes:
        evidence: Its predictions of each of `PARTS`, with calibrator and guard.
        controls: Its predictions of the test questions about a blank picture, and of the data's own about another
            picture of the same region.
    """

    evidence: Evidence
    controls: Mapping[str, Sequence[Prediction]]

    @classmethod
    def of(cls, rows: Mapping[str, Sequence[Prediction]], controls: Mapping[str, Sequence[Prediction]]) -> Sitting:
        """Fit calibrator and guard, and keep the predictions of `METHOD` alone."""
        kept = {name: [row for row in each if row.estimator == METHOD] for name, each in controls.items()}
        return cls(evidence_of(rows, METHOD), kept)


def sit(
    bench: Bench, parts: Mapping[str, Sequence[Asked]], data: Path, *, controls: Sequence[str] = (BLANK, OTHER)
) -> Sitting:
    """Ask a model all that the figures need, each question once and greedily.

    Args:
        bench: Asks the model.
        parts: Questions of each of `PARTS`.
        data: Folder of VQA-RAD.
        controls: Those that are to be asked.
    """
    rows = {name: _answered(bench, asked, data) for name, asked in parts.items()}
    asked_of = {BLANK: parts["test"], OTHER: other_pictures(parts["test"])}
    return Sitting.of(rows, {name: _answered(bench, asked_of[name], data, name) for name in controls})


def _answered(bench: Bench, asked: Sequence[Asked], data: Path, control: str = "") -> list[Prediction]:
    # Replies are kept by the question's id: one about another picture must have another.
    named = [replace(each, id=f"{each.id}, {control}") for each in asked] if control else list(asked)
    exam = bench.exam(named, data, blank=control == BLANK)
    rows = plain_rows(exam, bench.greedy(exam, [""] * len(exam.asked)))
    return [row.model_copy(update={"id": row.id.removesuffix(f", {control}")}) if control else row for row in rows]


def seed_figures(sitting: Sitting) -> dict[str, Any]:
    """Give one training's figures.

    Args:
        sitting: What its model answered.

    Returns:
        What `guided.figures` gives of `logprob`, accuracy on validation, and what the two controls change.
    """
    found = sitting.evidence
    validation = [row.correct for row in found.rows["validation"]]
    return {
        **figures_of(found),
        "validation_accuracy": round(float(np.mean(validation)), 4),
        **{name: control(found.rows["test"], rows, found.calibrator) for name, rows in sitting.controls.items()},
    }


def together(sittings: Sequence[Sitting]) -> dict[str, Any]:
    """Give the figures of all trainings' test answers, each calibrated by its own calibrator.

    Args:
        sittings: What each training's model answered to the same questions.

    Returns:
        For all questions, the data's own and the generated ones, where there are any: n, trainings and metrics. For
        each control what it changes. Intervals are by picture, so that a picture's answers by all trainings are drawn
        together: they tell how much hangs on the pictures, not on the seed.
    """
    evidence = [each.evidence for each in sittings]
    told: dict[str, Any] = {}
    for name, sources in _SOURCES.items():
        stated, right, pictures = [], [], []
        for row, confidence in _calibrated(evidence, sources):
            stated.append(confidence)
            right.append(row.correct)
            pictures.append(str(row.picture))
        if not stated:
            continue
        metrics = {each: METRICS[each] for each in _SHOWN}
        own = summarize(stated, right, clusters=pictures, metrics=metrics)["all"]
        told[name] = {
            "n": len(stated) // len(sittings),
            "trainings": len(sittings),
            **{each: rounded(own[each]) for each in _SHOWN},
        }
    for name in sittings[0].controls:
        pairs = [
            Pairs.of(each.evidence.rows["test"], each.controls[name], each.evidence.calibrator) for each in sittings
        ]
        told[name] = Pairs.joined(pairs).changes()
    return told


def _calibrated(evidence: Sequence[Evidence], sources: Sequence[str]) -> Iterator[tuple[Prediction, float]]:
    for each in evidence:
        rows = [row for row in each.rows["test"] if row.groups["source"] in sources]
        for row, answer in zip(rows, checked_answers(rows, each.calibrator), strict=True):
            yield row, answer.confidence or 0.0


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD.")],
    parts: Annotated[Path, typer.Option(help="Where the frozen parts lie.")],
    model: Annotated[list[Path], typer.Option(help="Directory of a training's model; once for each seed.")],
    books: Annotated[Path, typer.Option(help="Folder of the replies that were given already, a file a model.")],
    controls: Annotated[
        bool, typer.Option(help="Ask about a blank and about another picture, too: 636 questions more a model.")
    ] = True,
    out: Annotated[Path, typer.Option(help="File that the figures are written into.")] = Path("seeds.json"),
) -> None:
    """Measure each training's model, and all together; write the figures as JSON."""
    log, asked = begin_training(), questions_by_part(data)
    books.mkdir(parents=True, exist_ok=True)
    sittings, found = [], {}
    for directory in model:
        made = json.loads((directory / "provenance.json").read_text(encoding="utf-8"))
        seed = str(made["seed"])
        if seed in found:
            raise typer.BadParameter(f"two models of seed {seed}", param_hint="--model")
        bench = open_bench(directory, PartStore(parts, log), log, books / f"replies-{seed}.jsonl")
        sittings.append(sit(bench, asked, data, controls=(BLANK, OTHER) if controls else ()))
        found[seed] = {**seed_figures(sittings[-1]), "gate": made["stages"].get("gate")}
        typer.echo(f"seed {seed}\n{table(found[seed]['kinds'])}\n")
    write_atomically(out, json.dumps({"seeds": found, "together": together(sittings)}, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
