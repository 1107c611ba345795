"""Figures of the pair on test pictures, from runs of `trustvqa evaluate`: `python -m models.radiology.results`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from models.radiology.data.questions import Asked, of_split, read_questions
from models.radiology.export import majority_answers
from models.radiology.workshop import OPTION_ORDER
from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation import Prediction, read_predictions
from prompt4trust.evaluation.selection_trials import checked_answers, try_risks
from prompt4trust.files import write_atomically
from prompt4trust.metrics import METRICS, summarize
from prompt4trust.selection import CheckedAnswer, GuardArtifact, fit_guard

RISKS = (0.05, 0.10, 0.20)
DELTA = 0.05
DIVISIONS = 500
_SHOWN = ("accuracy", "mean_confidence", "ece", "auroc")
_FEW = 30  # with fewer rows a calibration error says nothing


def by_kind(rows: Sequence[Prediction], calibrator: CalibratorArtifact, guard: GuardArtifact | None) -> dict[str, Any]:
    """Figures of calibrated answers, of all questions and of each kind.

    Args:
        rows: One estimator's predictions.
        calibrator: Corrects them.
        guard: Decides which are given at each promised risk; None to leave that out.

    Returns:
        "all", "asked" (those of the data), "generated" and each kind -> n, metrics with 95 % intervals by picture, and
        how many are answered, and how many of these wrongly, at each risk.
    """
    answers = {each.id: each for each in checked_answers(rows, calibrator)}
    return {name: _figures(own, [answers[row.id] for row in own], guard) for name, own in _parts(rows).items()}


def stated_by_kind(rows: Sequence[Prediction]) -> dict[str, Any]:
    """Figures of answers as they come, before any calibrator: those of `by_kind` but for what is answered.

    Args:
        rows: One estimator's predictions; one without an answer is wrong with confidence 0.
    """
    found = {}
    for name, own in _parts(rows).items():
        stated = [row.confidence or 0.0 for row in own]
        without = sum(row.answer is None for row in own)
        found[name] = {**_metrics(own, stated, [row.correct for row in own]), "without_answer": without}
    return found


def divisions(rows: Sequence[Prediction], calibrator: CalibratorArtifact, risk: float, seed: int = 0) -> dict[str, Any]:
    """Divide the pictures in two again and again: a guard of the one half, tried on the other.

    Args:
        rows: Predictions of one estimator about pictures that the model was not trained on.
        calibrator: Corrects them.
        risk: Promised share of wrong answers.
        seed: Of the divisions.

    Returns:
        In how many divisions anything was answered, the mean share answered, and the share of divisions that kept the
        promise; a division without an answer keeps it.
    """
    answers = {each.id: each for each in checked_answers(rows, calibrator)}
    pictures = sorted({str(row.picture) for row in rows})
    rng = np.random.default_rng(seed)
    kept, given, shares = 0, 0, []
    for _ in range(DIVISIONS):
        half = set(rng.permutation(pictures)[: len(pictures) // 2])
        sides: tuple[list[CheckedAnswer], list[CheckedAnswer]] = ([], [])
        for row in rows:
            sides[str(row.picture) in half].append(answers[row.id])
        guard = fit_guard(
            sides[1], name="trial", key=calibrator.key, dataset="trial", clock=lambda: datetime.now(UTC),
            calibrator=calibrator, data_hash=f"sha256:{'0' * 64}", seed=int(rng.integers(1 << 30)),
            unit="question",  # as the shipped guard, which it is about
        )  # fmt: skip
        [trial] = try_risks(guard, sides[0], [risk], DELTA)
        kept += trial.wrong <= risk * trial.answered
        given += trial.answered > 0
        shares.append(trial.answered / trial.questions)
    return {
        "divisions": DIVISIONS,
        "pictures": len(pictures),
        "risk": risk,
        "kept": round(kept / DIVISIONS, 4),
        "answering": round(given / DIVISIONS, 4),
        "mean_answered": round(float(np.mean(shares)), 4),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Answers to the same questions about a picture as it is, and about a spoilt or another one.

    Attributes:
        right: 1 where an answer is right, else 0; shape [2, n], the pictures as they are first.
        sure: Calibrated confidences, 0 without one; shape [2, n].
        pictures: The questions' own pictures.
    """

    right: np.typing.NDArray[np.float64]
    sure: np.typing.NDArray[np.float64]
    pictures: Sequence[str]

    @classmethod
    def of(cls, rows: Sequence[Prediction], spoilt: Sequence[Prediction], calibrator: CalibratorArtifact) -> Pairs:
        """Pair the answers to the questions that both have."""
        other = {row.id: row for row in spoilt}
        own = [row for row in rows if row.id in other]
        sides = checked_answers(own, calibrator), checked_answers([other[row.id] for row in own], calibrator)
        return cls(
            np.array([[each.correct for each in side] for side in sides], dtype=float),
            np.array([[each.confidence or 0.0 for each in side] for side in sides]),
            [str(row.picture) for row in own],
        )

    @classmethod
    def joined(cls, several: Sequence[Pairs]) -> Pairs:
        """Put pairs of several models together; a picture's are drawn together."""
        return cls(
            np.concatenate([each.right for each in several], axis=1),
            np.concatenate([each.sure for each in several], axis=1),
            [picture for each in several for picture in each.pictures],
        )

    def changes(self) -> dict[str, Any]:
        """Give what differs from the picture as it is, with 95 % intervals by picture."""
        return {
            "accuracy_change": difference(self.right[1] - self.right[0], self.pictures),
            "confidence_change": difference(self.sure[1] - self.sure[0], self.pictures),
        }


def control(rows: Sequence[Prediction], spoilt: Sequence[Prediction], calibrator: CalibratorArtifact) -> dict[str, Any]:
    """Compare answers with those to the same questions about a spoilt or another picture.

    Returns:
        n, accuracy and mean calibrated confidence of both, and the differences with 95 % intervals by picture.
    """
    pairs = Pairs.of(rows, spoilt, calibrator)
    return {
        "n": len(pairs.pictures),
        "accuracy": [round(float(each.mean()), 4) for each in pairs.right],
        "confidence": [round(float(each.mean()), 4) for each in pairs.sure],
        **pairs.changes(),
    }


def majority(rows: Sequence[Prediction], asked: Sequence[Asked]) -> dict[str, Any]:
    """Compare accuracy with that of the training split's commonest answers, on the data's own questions."""
    told = majority_answers(of_split(asked, "train"), of_split(asked, "test"))
    by_id = {each.id: each for each in asked}
    own = [row for row in rows if row.groups["source"] == "asked"]
    guessed = np.array([told.get(row.id) == by_id[row.id].gold for row in own], dtype=float)
    right = np.array([row.correct for row in own], dtype=float)
    return {
        "n": len(own),
        "accuracy": [round(float(right.mean()), 4), round(float(guessed.mean()), 4)],
        "accuracy_change": difference(guessed - right, [str(row.picture) for row in own]),
    }


def difference(changes: np.typing.NDArray[np.float64], pictures: Sequence[str], draws: int = 2000) -> dict[str, float]:
    """Give the mean of a number for each question, with a 95 % interval from pictures drawn with replacement."""
    names, codes = np.unique(pictures, return_inverse=True)
    sums = np.bincount(codes, weights=changes)
    counts = np.bincount(codes)
    drawn = np.random.default_rng(0).integers(0, len(names), (draws, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {"value": round(float(changes.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _figures(
    rows: Sequence[Prediction], answers: Sequence[CheckedAnswer], guard: GuardArtifact | None
) -> dict[str, Any]:
    stated = [each.confidence or 0.0 for each in answers]
    figures = _metrics(rows, stated, [each.correct for each in answers])
    for trial in () if guard is None else try_risks(guard, answers, RISKS, DELTA):
        figures[f"at_{trial.max_risk:.2f}"] = {"answered": trial.answered, "wrong": trial.wrong}
    return figures


def _parts(rows: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    parts: dict[str, list[Prediction]] = {"all": list(rows)}
    for row in rows:
        parts.setdefault(row.groups["source"], []).append(row)
        parts.setdefault(row.groups["kind"], []).append(row)
    return parts


def _metrics(rows: Sequence[Prediction], stated: Sequence[float], right: Sequence[bool]) -> dict[str, Any]:
    pictures = [str(row.picture) for row in rows]
    found = summarize(stated, right, clusters=pictures, metrics={name: METRICS[name] for name in _SHOWN})["all"]
    figures: dict[str, Any] = {"n": len(rows), "pictures": len(set(pictures))}
    for name in _SHOWN:
        interval = found[name].as_json()
        if name != "ece" or len(rows) >= _FEW:
            figures[name] = {key: None if value is None else round(value, 4) for key, value in interval.items()}
    return figures


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD.")],
    runs: Annotated[Path, typer.Option(help="Folder of the runs: calibration, test, blank-image and other-picture.")],
    shipped: Annotated[Path, typer.Option(help="Folder of calibrators/ and guards/.")],
    method: Annotated[str, typer.Option(help="The method.")] = "logprob",
    out: Annotated[Path, typer.Option(help="File that the figures are written into.")] = Path("figures.json"),
) -> None:
    """Write the figures of one method as JSON."""
    calibrator = _of(CalibratorArtifact.load(path) for path in (shipped / "calibrators").glob("*.json"))[method]
    guard = _of(GuardArtifact.load(path) for path in (shipped / "guards").glob("*.json"))[method]
    rows = {name: _rows(runs / name, method) for name in ("calibration", "test", "blank-image", "other-picture")}
    asked = read_questions(data, OPTION_ORDER)
    figures = {
        "method": method,
        "kinds": by_kind(rows["test"], calibrator, guard),
        "least_risk": round(guard.risk_rule(DELTA).least_risk, 4),
        "divisions": divisions([*rows["calibration"], *rows["test"]], calibrator, 0.10),
        "blank picture": control(rows["test"], rows["blank-image"], calibrator),
        "another picture": control(rows["test"], rows["other-picture"], calibrator),
        "training majority": majority(rows["test"], asked),
    }
    write_atomically(out, json.dumps(figures, indent=2) + "\n")
    typer.echo(table(figures["kinds"]))


def table(kinds: Mapping[str, Any]) -> str:
    """Render figures by kind of question as a Markdown table, with what is answered where that was tried."""
    risks = [risk for risk in RISKS if f"at_{risk:.2f}" in kinds["all"]]
    heads = ["kind", "n", "accuracy", "confidence", "ECE", "AUROC", *(f"answered at {risk:.0%}" for risk in risks)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, own in kinds.items():
        cells = [_cell(own.get(metric)) for metric in _SHOWN]
        given = [f"{own[f'at_{risk:.2f}']['answered']} ({own[f'at_{risk:.2f}']['wrong']} wrong)" for risk in risks]
        lines.append(f"| {name} | {own['n']} | {' | '.join([*cells, *given])} |")
    return "\n".join(lines)


def _cell(interval: Mapping[str, float | None] | None) -> str:
    if interval is None or interval["value"] is None:
        return "-"
    ends = (interval["low"], interval["high"])
    shown = "" if None in ends else f" [{ends[0]:.2f}, {ends[1]:.2f}]"
    return f"{interval['value']:.2f}{shown}"


def _rows(folder: Path, method: str) -> list[Prediction]:
    return [row for row in read_predictions(folder) if row.estimator == method and row.failure is None]


def _of(artifacts: Any) -> dict[str, Any]:
    return {each.key.estimator: each for each in artifacts}


if __name__ == "__main__":
    typer.run(main)
