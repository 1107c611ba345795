"""A question about every test picture, asked of the shipped directory: stored figures must come out again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.radiology.data.prompts import ANSWER_TEMPLATE, Row
from models.radiology.data.questions import Asked, of_split, read_questions
from models.radiology.training.batches import Encoder
from models.radiology.training.beliefs import option_logits
from models.radiology.training.replies import greedy_replies
from models.radiology.workshop import OPTION_ORDER
from prompt4trust.prompts import load_template
from prompt4trust.verdict import Verdict, parse_verdict
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.loading import load_joined
from services.common.engine.vision.joined.training import picture_features, tokenizer_of

FEW = 4
"""Of so many questions one is asked where the whole check would take a minute and more."""


def reproduced(shipped: Path, parts: PartStore, data: Path, *, every: int = 1) -> dict[str, float]:
    """Ask the shipped model about each test picture: its body part, or what the data ask, in turn.

    Args:
        shipped: The model's directory.
        parts: Where the frozen parts lie.
        data: A folder of VQA-RAD.
        every: Which of the questions are asked: all of them, or each second, third, ... one.

    Returns:
        n, the share of replies with a verdict, accuracy of both kinds, the mean stated confidence, and the mean
        probability of the likeliest option's first word.
    """
    model = load_joined(shipped, parts)
    config: Any = model.config
    tokenizer = tokenizer_of(model, parts)
    tokenizer.chat_template = (shipped / "chat_template.jinja").read_text(encoding="utf-8")
    encoder = Encoder(tokenizer, load_template(ANSWER_TEMPLATE), config)
    chosen = _chosen(of_split(read_questions(data, OPTION_ORDER), "test"))[::every]
    names = sorted({each.picture for each in chosen})
    pictures = []
    for name in names:
        with Image.open(data / "images" / name) as opened:
            pictures.append(opened.convert("RGB"))
    features = picture_features(model, pictures)
    views = [names.index(each.picture) for each in chosen]
    rows = [Row(each, 0, view) for each, view in zip(chosen, views, strict=True)]
    replies = greedy_replies(model, encoder, rows, features)
    verdicts = [parse_verdict(reply, list(each.lettered)) for reply, each in zip(replies, chosen, strict=True)]
    right: dict[bool, list[bool]] = {True: [], False: []}
    for each, verdict in zip(chosen, verdicts, strict=True):
        right[each.generated].append(isinstance(verdict, Verdict) and verdict.answer == list(each.lettered)[each.gold])
    sure = [
        float(np.exp(line - line.max()).max() / np.exp(line - line.max()).sum())
        for line in option_logits(model, encoder, list(zip(chosen, views, strict=True)), features)
    ]
    stated = [verdict.confidence for verdict in verdicts if isinstance(verdict, Verdict)]
    return {
        "n": len(chosen),
        "valid": round(len(stated) / len(chosen), 4),
        "body_part_accuracy": _mean(right[True]),
        "asked_accuracy": _mean(right[False]),
        "stated": _mean(stated),
        "belief": _mean(sure),
    }


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0


def _chosen(asked: list[Asked]) -> list[Asked]:
    found: dict[str, Asked] = {}
    pictures = sorted({each.picture for each in asked})
    for each in asked:
        wants_body_part = pictures.index(each.picture) % 2 == 0
        if each.kind == "body part" if wants_body_part else not each.generated:
            found.setdefault(each.picture, each)
    return list(found.values())
