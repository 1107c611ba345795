"""Streams of reviewed answers for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from services.gateway.monitoring.watched_stream import Fit
from services.gateway.records.reviewed_answer import ReviewedAnswer
from tests.support.calibration_keys import whole_key

PAIR = whole_key(downstream="model-1", policy="policy-1", estimator="cgp", answer_template="answer-compact@1")
OTHER_PAIR = whole_key(downstream="model-1", policy=None, estimator="verbalized", answer_template="answer-compact@1")
BEGIN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
FIT = Fit("platt-cgp", BEGIN - timedelta(days=9))


def reviewed(place: int, confidence: float | None, correct: bool, **changes: Any) -> ReviewedAnswer:
    """One answer, reviewed a minute after the one before."""
    at = BEGIN + timedelta(minutes=place)
    given: Mapping[str, Any] = {
        "id": f"00000000-0000-4000-8000-{place:012d}",
        "at": at - timedelta(hours=1),
        "reviewed_at": at,
        "key": PAIR,
        "calibrator": "platt-cgp",
        "stated": confidence,
        "confidence": confidence,
        "signals": {},
        "decision": "answer" if (confidence or 0) >= 0.6 else "defer",
        "max_risk": None,
        "correct": correct,
        "groups": {},
    }
    return ReviewedAnswer(**{**given, **changes})


def stream(count: int, *, begin: int = 0, off: float = 0.0, seed: int = 0, **changes: Any) -> list[ReviewedAnswer]:
    """Answers that are right with their confidence plus `off`."""
    rng = np.random.default_rng(seed)
    confidence = rng.choice([0.32, 0.4, 0.62, 0.93], count, p=[0.16, 0.15, 0.24, 0.45])
    right = rng.random(count) < confidence + off
    modality = rng.choice(["CT", "MRI"], count)
    return [
        reviewed(begin + place, float(p), bool(y), **{"groups": {"modality": str(kind), "ward": f"{place}"}, **changes})
        for place, (p, y, kind) in enumerate(zip(confidence, right, modality, strict=True))
    ]
