"""Figures of a contrastive model on validation questions, each answered among its own options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from prompt4trust.metrics import METRICS, metric_intervals
from prompt4trust.picture_files import read_picture
from prompt4trust.questions import Question
from services.common.contrastive.model import ContrastiveModel
from services.trainer.errors import DataError

_REPORTED = ("accuracy", "mean_confidence", "ece", "ace", "brier", "auroc", "confident_error_share")
_AT_ONCE = 32
_TEXTS_AT_ONCE = 256


def encode_pictures(model: ContrastiveModel, questions: Sequence[Question]) -> Tensor:
    """Encode the questions' pictures, read as the gateway reads a client's.

    Returns:
        Unit vectors, float32 [questions, d].

    Raises:
        DataError: If a question has none.
        UnreadablePictureError: If one cannot be read.
    """
    vectors = []
    for start in range(0, len(questions), _AT_ONCE):
        pictures = []
        for question in questions[start : start + _AT_ONCE]:
            if question.image is None:
                raise DataError(f"question {question.id} has no picture, and a contrastive model needs one")
            pictures.append(read_picture(question.image))
        vectors.append(model.encode_pictures(pictures))
    return torch.cat(vectors)


def assess(
    model: ContrastiveModel, questions: Sequence[Question], pictures: Tensor, context: Tensor | None
) -> dict[str, Any]:
    """Measure a model with a context, or with its own wording.

    Args:
        model: The model.
        questions: Questions with options and a known answer.
        pictures: Their pictures' vectors.
        context: The context; None for what the model is served with.

    Returns:
        n and metrics: name -> value and 95 % interval.

    Raises:
        ValueError: If an option has more tokens than the model takes.
    """
    texts = sorted({text for question in questions for text in question.options.values()})
    with torch.no_grad():
        parts = [texts[start : start + _TEXTS_AT_ONCE] for start in range(0, len(texts), _TEXTS_AT_ONCE)]
        told = torch.cat(
            [model.encode_options(part) if context is None else model.encode_classes(part, context) for part in parts]
        )
    places = {text: place for place, text in enumerate(texts)}
    stated, right = [], []
    for question, picture in zip(questions, pictures, strict=True):
        letters = list(question.options)
        rows = told[[places[text] for text in question.options.values()]]
        shares = (model.scale * rows @ picture).softmax(dim=0)
        stated.append(float(shares.max()))
        right.append(letters[int(shares.argmax())] == question.answer)
    intervals = metric_intervals(stated, right, {name: METRICS[name] for name in _REPORTED})
    return {"n": len(questions), "metrics": {name: interval.as_json() for name, interval in intervals.items()}}
