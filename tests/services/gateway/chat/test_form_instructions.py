"""Schemas that are told in words: taken where the words ask for a form and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.common.openai.errors import OpenAIError
from services.gateway.chat.form_instructions import told_schema
from services.gateway.chat.request import CalibratedChatRequest

SCHEMA = {"type": "object", "properties": {"answer": {"type": ["string", "null"]}}, "required": ["answer"]}
TEXT = json.dumps(SCHEMA, indent=2)
USER = {"role": "user", "content": "Which shape?"}


def request_of(*contents: Any, kind: str = "json_object", role: str = "system") -> CalibratedChatRequest:
    told = [{"role": role, "content": content} for content in contents]
    given = {"model": "calibrated-vqa", "messages": [*told, USER], "response_format": {"type": kind}}
    return CalibratedChatRequest.model_validate(given)


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        f"Respond in JSON that conforms to this json_schema:\n```json\n{TEXT}\n```\nReturn the object only.",
        [{"type": "text", "text": "Your task is to provide objects in JSON matching"}, {"type": "text", "text": TEXT}],
    ],
)
def test_a_schema_is_found(content: Any, role: str) -> None:
    told = told_schema(request_of(content, role=role))
    assert told is not None
    assert (told.schema, told.param) == (SCHEMA, "messages[0].content")


def test_words_about_the_form_alone_are_taken() -> None:
    assert told_schema(request_of("Please respond with a valid JSON object.", "")) is None


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ([f"You are a radiologist. {TEXT}"], "'radiologist'"),
        ([f"Never defer. Return JSON: {TEXT}"], "'Never'"),
        ([f"Только левое. {TEXT}"], "'Только'"),
        (["Say B in JSON."], "'Say'"),
        ([f"Return 1 or 2: {TEXT}"], "'1'"),
        ([TEXT, TEXT], "second schema"),
        ([f"{TEXT} or {TEXT}"], "no other braces"),
        (['Return {"answer": "Oval"}'], "no other braces"),
        (['{"type": "object", "properties": {"answer": {}}, "properties": {"letter": {}}}'], "no other braces"),
        (["{" * 30_000], "2000 characters"),
        (["json " * 500], "2000 characters"),
        ([[{"type": "image_url"}]], "text parts"),
        ([7], "text parts"),
    ],
)
def test_whatever_could_mean_more_is_refused(contents: list[Any], said: str) -> None:
    with pytest.raises(OpenAIError) as refused:
        told_schema(request_of(*contents))
    assert said in refused.value.message
    assert str(refused.value.param).startswith("messages[")


def test_where_no_json_is_asked_for_nothing_is_told() -> None:
    assert told_schema(request_of(TEXT, kind="text")) is None
