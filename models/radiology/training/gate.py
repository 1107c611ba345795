"""The gate ahead of policy training: what hints do to the stated number, tried on pictures kept out of training."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from models.radiology.data.features import Views
from models.radiology.data.hints import KINDS, Part, draw_hint, family_for
from models.radiology.data.prompts import Row
from models.radiology.data.questions import Asked
from models.radiology.training.batches import Encoder
from models.radiology.training.replies import greedy_replies
from prompt4trust.metrics import expected_calibration_error
from prompt4trust.verdict import Verdict, parse_verdict
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration

_TRIED: tuple[tuple[str, Part], ...] = (*((kind, "train") for kind in KINDS), ("fitting", "held out"))


def judge_hints(
    model: JoinedForConditionalGeneration,
    encoder: Encoder,
    asked: Sequence[Asked],
    views: Views,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Ask questions with hints of each kind.

    Args:
        model: The model after stage two.
        encoder: Encodes prompts.
        asked: Questions about pictures of `validation`.
        views: Their features.
        log: Takes lines of progress.

    Returns:
        Figures by kind of hint, and `passed`: whether fitting hints, in wordings of training and in others, have a
        lower calibration error than every other kind. Policy training is refused where they have not.
    """
    figures: dict[str, Any] = {}
    for kind, part in _TRIED:
        rng = random.Random(f"gate {kind} {part}")
        hints = [draw_hint(family_for(kind, each.kind, rng), part, rng) for each in asked]
        rows = [Row(each, 0, views.clean[each.picture], hint) for each, hint in zip(asked, hints, strict=True)]
        name = kind if part == "train" else f"{kind}, {part}"
        figures[name] = _judged(asked, greedy_replies(model, encoder, rows, views.features))
        log(f"hints {name}: {figures[name]}")
    fitting = max(figures[name]["ece"] for name in figures if name.startswith("fitting"))
    others = min(figures[name]["ece"] for name in figures if not name.startswith("fitting"))
    return {"n": len(asked), "hints": figures, "passed": bool(fitting < others)}


def _judged(asked: Sequence[Asked], replies: Sequence[str]) -> dict[str, float]:
    verdicts = [parse_verdict(reply, list(each.lettered)) for reply, each in zip(replies, asked, strict=True)]
    stated = [each.confidence if isinstance(each, Verdict) else 0.0 for each in verdicts]
    right = [
        isinstance(verdict, Verdict) and verdict.answer == list(each.lettered)[each.gold]
        for verdict, each in zip(verdicts, asked, strict=True)
    ]
    return {
        "valid": round(float(np.mean([isinstance(each, Verdict) for each in verdicts])), 4),
        "accuracy": round(float(np.mean(right)), 4),
        "stated": round(float(np.mean(stated)), 4),
        "spread": round(float(np.std(stated)), 4),
        "ece": round(float(expected_calibration_error(stated, right)), 4),
    }
