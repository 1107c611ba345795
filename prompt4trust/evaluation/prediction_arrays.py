"""Predictions with a known truth as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from prompt4trust.calibration import Calibrator, CalibratorArtifact, hash_rows
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.question_signals.words import DESCRIBED, is_word

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PredictionArrays:
    """Predictions as arrays; an invalid row has confidence 0 and is not correct.

    Attributes:
        ids: The questions' ids, n of them.
        confidence: Confidences in [0, 1]; shape [n].
        correct: Whether each is right; shape [n].
        valid: Whether each holds a verdict; shape [n].
        signals: Further numbers by name, NaN where a row does not carry them; shape [n] each.
        clusters: What each row belongs to, n of them: equal for questions about one picture.
        groups: What is known of each row's question, n of them.
    """

    ids: tuple[str, ...]
    confidence: Floats
    correct: Bools
    valid: Bools
    signals: Mapping[str, Floats]
    clusters: tuple[str, ...]
    groups: tuple[Mapping[str, str], ...]

    @classmethod
    def of(cls, rows: Sequence[Prediction]) -> PredictionArrays:
        """Lay out predictions, none of which is a failure or of unknown truth."""
        return cls(
            tuple(row.id for row in rows),
            np.array([row.confidence or 0.0 for row in rows], dtype=np.float64),
            np.array([row.correct for row in rows], dtype=np.bool_),
            np.array([row.invalid is None for row in rows], dtype=np.bool_),
            signal_columns(rows),
            row_clusters(rows),
            tuple(row.groups for row in rows),
        )

    def calibrated(self, artifact: CalibratorArtifact | None) -> PredictionArrays:
        """Correct the confidences of valid rows; an invalid row has none, one that lacks a signal keeps what it has."""
        usable = self.correctable(artifact)
        if artifact is None or not usable.any():
            return self
        corrected = correct_where(artifact.calibrator(), self.confidence, self.signals, usable)
        if artifact.by_group is not None:
            corrected[usable] = artifact.by_group.apply(corrected[usable], list(compress(self.groups, usable)))
        return replace(self, confidence=corrected)

    def correctable(self, artifact: CalibratorArtifact | None) -> Bools:
        """Mark the rows that hold a verdict and every signal that a calibrator needs."""
        return self.valid & carrying(artifact.calibrator(), self.signals, len(self.valid)) if artifact else self.valid

    def at(self, places: Sequence[int]) -> PredictionArrays:
        """Take some of the rows, in the order named."""
        signals = {name: values[places] for name, values in self.signals.items()}
        ids = tuple(self.ids[place] for place in places)
        clusters = tuple(self.clusters[place] for place in places)
        return replace(
            self,
            ids=ids,
            confidence=self.confidence[places],
            correct=self.correct[places],
            valid=self.valid[places],
            signals=signals,
            clusters=clusters,
            groups=tuple(self.groups[place] for place in places),
        )

    def aligned(self, ids: Sequence[str]) -> PredictionArrays:
        """Take the rows of these questions, all of which there are, in this order."""
        place = {each: index for index, each in enumerate(self.ids)}
        return self.at([place[each] for each in ids])


def carrying(calibrator: Calibrator, signals: Mapping[str, Floats], n: int) -> Bools:
    """Mark those of n rows that carry every signal that a calibrator needs; shape [n]."""
    usable = np.ones(n, dtype=np.bool_)
    for name in calibrator.inputs():
        values = signals.get(name)
        usable &= np.zeros_like(usable) if values is None else ~np.isnan(values)
    return usable


def correct_where(calibrator: Calibrator, confidence: Floats, signals: Mapping[str, Floats], usable: Bools) -> Floats:
    """Correct the confidences of some rows, as marked by `carrying`; the others keep what they have. All shapes [n]."""
    corrected = confidence.copy()
    corrected[usable] = calibrator.apply(confidence[usable], {name: each[usable] for name, each in signals.items()})
    return corrected


def signal_columns(rows: Sequence[Prediction]) -> dict[str, Floats]:
    """Lay out the signals that the rows carry.

    Returns:
        Name -> values, shape [n]; NaN where a row does not carry it, but 0 for a word that a row lacks whose words are
        told.
    """
    names = sorted({name for row in rows for name in row.signals})
    told = np.array([0.0 if DESCRIBED in row.signals else np.nan for row in rows], dtype=np.float64)
    columns = {name: told.copy() if is_word(name) else np.full(len(rows), np.nan) for name in names}
    for place, row in enumerate(rows):
        for name, value in row.signals.items():
            columns[name][place] = value
    return columns


def row_clusters(rows: Iterable[Prediction]) -> tuple[str, ...]:
    """Name what each prediction belongs to: its picture, or nothing but itself."""
    return tuple(f"row {row.id}" if row.picture is None else f"picture {row.picture}" for row in rows)


def fitting_rows(rows: Iterable[Prediction]) -> list[Prediction]:
    """Choose the predictions that a calibrator can be fitted on: those with a verdict and a known truth."""
    return [row for row in rows if row.failure is None and row.confidence is not None and row.is_labelled]


def fitting_hash(rows: Iterable[Prediction]) -> str:
    """Hash the predictions that a calibrator would be fitted on, as its artifact does."""
    usable = fitting_rows(rows)
    return hash_rows(
        [row.confidence or 0.0 for row in usable], [row.correct for row in usable], [row.id for row in usable]
    )
