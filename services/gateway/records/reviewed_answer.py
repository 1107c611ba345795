"""An answer together with whether it was right: what monitoring and refitting live on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from prompt4trust.calibration import CalibrationKey


@dataclass(frozen=True, slots=True)
class ReviewedAnswer:
    """An answer whose truth somebody has said.

    Attributes:
        id: Of the answer, as its reply gave it.
        at: When it was answered (UTC).
        reviewed_at: When the feedback came (UTC); a stream of these is in the order of (reviewed_at, id).
        key: What the confidence belongs to: models, estimator and wording.
        calibrator: The calibrator that gave the confidence; None where it was not calibrated.
        stated: The confidence as the method gave it, in [0, 1]; None without a verdict.
        confidence: Calibrated where `calibrator` is not None, else as stated.
        signals: Further numbers that the method gave, by name.
        decision: What the gateway decided.
        max_risk: The promised share of errors, where one was promised with a guarantee.
        correct: Whether the answer was right; an answer without a verdict is not.
        groups: What the client told of the question, such as family and modality.
        guard: The evidence that this promise was made on, where there was one.
    """

    id: str
    at: datetime
    reviewed_at: datetime
    key: CalibrationKey
    calibrator: str | None
    stated: float | None
    confidence: float | None
    signals: Mapping[str, float]
    decision: Literal["answer", "defer"]
    max_risk: float | None
    correct: bool
    groups: Mapping[str, str]
    guard: str | None = None
