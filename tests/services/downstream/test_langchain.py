"""LangChain against the downstream service: plain and streamed texts, and objects that the model is held to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel

from tests.services.downstream.conftest import MODEL

if TYPE_CHECKING:  # its import takes three seconds, which every process that reads the tests would spend
    from langchain_openai import ChatOpenAI

QUESTION = [("human", "Which side?\nA: Left\nB: Right")]


class Choice(BaseModel):
    """A choice of one option."""

    answer: Literal["A", "B"]
    sure: bool


@pytest.fixture
def model(server: str) -> ChatOpenAI:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=MODEL, base_url=f"{server}/v1", api_key="none", max_retries=0, timeout=20, seed=1, max_tokens=400
    )


def test_a_text_whole_and_streamed(model: ChatOpenAI) -> None:
    whole = model.invoke(QUESTION)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 0
    assert "".join(each.text for each in model.stream(QUESTION)) == whole.text


@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(model: ChatOpenAI, method: Any, strict: bool | None) -> None:
    found = model.with_structured_output(Choice, method=method, strict=strict).invoke(QUESTION)
    assert isinstance(found, Choice)


def test_structured_output_whose_schema_is_told_in_words(model: ChatOpenAI) -> None:
    kinds = {"answer": {"enum": ["A", "B"]}, "sure": {"type": "boolean"}}
    schema = {"type": "object", "properties": kinds, "required": [*kinds], "additionalProperties": False}
    told = ("system", f"Reply in JSON by this schema: {json.dumps(schema)}")
    short = model.model_copy(update={"max_tokens": 180})
    found = short.with_structured_output(Choice, method="json_mode").invoke([told, *QUESTION])
    assert isinstance(found, Choice)
