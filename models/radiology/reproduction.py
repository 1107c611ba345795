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

FEW = 8
"""Of so many questions one is replied to in words where all replies would take half a minute of a core."""


def reproduced(shipped: Path, parts: PartStore, data: Path, *, replies: int = 1) -> dict[str, float]:
    """Ask the shipped model about each test picture: its body part, or what the data ask, in turn.

    The answer is the option that the model thinks likeliest, which takes one pass; whole replies take three times that.

    Args:
        shipped: The model's directory.
        parts: Where the frozen parts lie.
        data: A folder of VQA-RAD.
        replies: Which of the questions are replied to in words: all of them, or each second, third, ... one.

    Returns:
        n, accuracy of both kinds, and the mean probability of the likeliest option's first word; of the replies their
        number, the share with a verdict, the share whose verdict is the likeliest option, and the mean stated
        confidence.
    """
    model = load_joined(shipped, parts)
    config: Any = model.config
    tokenizer = tokenizer_of(model, parts)
    tokenizer.chat_template = (shipped / "chat_template.jinja").read_text(encoding="utf-8")
    encoder = Encoder(tokenizer, load_template(ANSWER_TEMPLATE), config)
    chosen = _chosen(of_split(read_questions(data, OPTION_ORDER), "test"))
    names = sorted({each.picture for each in chosen})
    pictures = []
    for name in names:
        with Image.open(data / "images" / name) as opened:
            pictures.append(opened.convert("RGB"))
    features = picture_features(model, pictures)
    views = [names.index(each.picture) for each in chosen]
    logits = option_logits(model, encoder, list(zip(chosen, views, strict=True)), features)
    likeliest = [int(line.argmax()) for line in logits]
    right: dict[bool, list[bool]] = {True: [], False: []}
    for each, place in zip(chosen, likeliest, strict=True):
        right[each.generated].append(place == each.gold)
    sure = [float(np.exp(line - line.max()).max() / np.exp(line - line.max()).sum()) for line in logits]
    some = range(0, len(chosen), replies)
    said = greedy_replies(model, encoder, [Row(chosen[place], 0, views[place]) for place in some], features)
    verdicts = [parse_verdict(reply, list(chosen[place].lettered)) for reply, place in zip(said, some, strict=True)]
    same = [
        isinstance(verdict, Verdict) and verdict.answer == list(chosen[place].lettered)[likeliest[place]]
        for verdict, place in zip(verdicts, some, strict=True)
    ]
    stated = [verdict.confidence for verdict in verdicts if isinstance(verdict, Verdict)]
    return {
        "n": len(chosen),
        "body_part_accuracy": _mean(right[True]),
        "asked_accuracy": _mean(right[False]),
        "belief": _mean(sure),
        "replies": len(said),
        "valid": round(len(stated) / len(said), 4),
        "likeliest": _mean(same),
        "stated": _mean(stated),
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
