"""The common part of all passes of one question stands first in the prompt, where prefix caches find it."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from prompt4trust.prompts import answer_messages, load_template
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.model.options import ModelOptions
from services.downstream.conversion import picture_urls, to_generation
from services.downstream.schemas import ChatCompletionRequest
from tests.services.common.engine.tiny import data_url, png

SHIPPED = Path(__file__).resolve().parents[3] / "models" / "downstream-mini-1"
QUESTION = "Where does the largest finding lie?"
OPTIONS = {"A": "Upper left", "B": "Upper right", "C": "Lower left", "D": "Lower right"}
HINTS = (None, "Compare both sides.", "Weigh size against texture, and say less if the border is blurred.")


@pytest.fixture(scope="module")
def model() -> TransformersAdapter:
    return TransformersAdapter.load(ModelOptions(SHIPPED))


def rendered(model: TransformersAdapter, template: str, guidance: str | None) -> list[int]:
    """The prompt's token numbers as the model reads them, the picture's tokens included."""
    messages = answer_messages(
        load_template(template), QUESTION, OPTIONS, image_url=data_url(png(1, 112, 112)), guidance=guidance
    )
    request = ChatCompletionRequest.model_validate({"model": "eye", "messages": messages})
    generation = to_generation(request, picture_urls(request), timeout_s=1)
    return model.prompts.build(generation.messages, generation.pictures).tokens


@pytest.mark.parametrize("template", ["answer-compact@1", "answer-standard@1"])
def test_picture_question_and_options_come_before_the_guidance(model: TransformersAdapter, template: str) -> None:
    prompts = [rendered(model, template, hint) for hint in HINTS]
    shared = [each[0] for each in takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False))]
    tokenizer: Any = model.prompts._tokenizer
    text = tokenizer.decode(shared)
    picture = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert shared.count(picture) == prompts[0].count(picture) == 16
    assert text.index("<|vision_end|>") < text.index(QUESTION) < text.index("D. Lower right")
    assert shared.index(picture) < len(shared) / 2
    for hint, tokens in zip(HINTS[1:], prompts[1:], strict=True):
        assert hint is not None
        assert hint not in text
        assert hint in tokenizer.decode(tokens[len(shared) - 8 :])
