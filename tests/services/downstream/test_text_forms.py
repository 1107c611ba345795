"""Forms and penalties as real clients ask for them: the official one, and what it sends for pydantic models."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import jsonschema
import openai
import pytest
from pydantic import BaseModel, Field

from tests.services.downstream.conftest import MODEL
from tests.services.downstream.test_openai_client import HELLO, ask, look, text_of


class Finding(BaseModel):
    """A finding in the form that the model is held to."""

    letter: Literal["A", "B", "C"]
    confidence: int = Field(ge=0, le=100)
    seen: list[Literal["mass", "none"]] = Field(max_length=2)


def test_a_pydantic_model_is_parsed_from_a_reply(client: openai.OpenAI) -> None:
    for seed in range(3):
        reply = client.chat.completions.parse(
            model=MODEL, messages=look(seed), response_format=Finding, max_tokens=400, seed=seed
        )
        found = reply.choices[0].message.parsed
        assert isinstance(found, Finding)
        assert 0 <= found.confidence <= 100


def test_a_stream_of_json_is_parsed_as_it_comes(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=HELLO, response_format=Finding, max_tokens=400, seed=1
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds
    assert isinstance(final.choices[0].message.parsed, Finding)


def test_any_json_object(client: openai.OpenAI) -> None:
    """Those that are not cut off are objects; the others are the beginnings of some, as at OpenAI."""
    reply = ask(client, n=8, seed=2, max_tokens=150, response_format={"type": "json_object"}, stop="}")
    for choice in reply.choices:
        text = choice.message.content or ""
        assert text.startswith("{")
        assert choice.finish_reason in ("stop", "length")
        if choice.finish_reason == "length":
            with pytest.raises(json.JSONDecodeError):
                json.loads(text)
    tiny = ask(client, seed=2, max_tokens=3, response_format={"type": "json_object"})
    assert tiny.choices[0].finish_reason == "length"


def test_samples_under_a_schema_differ_by_seed_and_fit_it(client: openai.OpenAI) -> None:
    number = {"type": "integer", "minimum": 10, "maximum": 99}
    schema = {"type": "object", "properties": {"n": number}, "required": ["n"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "number", "strict": True, "schema": schema}}
    texts = [
        each.message.content or "" for each in ask(client, n=6, seed=4, max_tokens=99, response_format=form).choices
    ]
    for text in texts:
        jsonschema.validate(json.loads(text), schema)
    assert len(set(texts)) > 1
    again = ask(client, n=6, seed=4, max_tokens=99, response_format=form)
    assert [each.message.content for each in again.choices] == texts


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ({"choice": ["left", "right"]}, "left|right"),
        ({"regex": r"the answer is [A-D] with confidence \d{2}"}, r"the answer is [A-D] with confidence \d{2}"),
        (
            {
                "json": {"type": "array", "items": {"const": 7}, "minItems": 2, "maxItems": 2},
                "disable_any_whitespace": True,
            },
            r"\[7,7\]",
        ),
        ({"json": '{"const": 7}'}, "7"),
        ({"grammar": 'start: "<" start ">" | "x"'}, "<*x>*"),
        ({"json_object": True, "whitespace_pattern": " "}, r"\{.*"),
    ],
    ids=["choice", "regex", "json", "json text", "grammar", "json_object"],
)
def test_vllms_structured_outputs(client: openai.OpenAI, form: dict[str, Any], pattern: str) -> None:
    reply = ask(client, seed=1, max_tokens=60, extra_body={"structured_outputs": form})
    assert re.fullmatch(pattern, text_of(reply), re.DOTALL)


def test_log_probabilities_are_reported_among_what_the_form_allows(client: openai.OpenAI) -> None:
    reply = ask(
        client, seed=1, logprobs=True, top_logprobs=5, extra_body={"structured_outputs": {"choice": ["x", "y", "zzz"]}}
    )
    assert reply.choices[0].logprobs is not None
    first = (reply.choices[0].logprobs.content or [])[0]
    likely = [other.token for other in first.top_logprobs if other.logprob > -9999]
    assert {text[0] for text in likely} == {"x", "y", "z"}


def test_a_form_that_cannot_be_had_says_why(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, extra_body={"structured_outputs": {"regex": "(?=a)b"}})
    assert "look-around" in str(caught.value)
    assert (caught.value.param, caught.value.code) == ("structured_outputs", "invalid_value")


def test_penalties_and_biases_change_what_is_said(client: openai.OpenAI) -> None:
    plain = text_of(ask(client, temperature=0, max_tokens=60))
    changes: list[dict[str, Any]] = [
        {"frequency_penalty": 2.0},
        {"presence_penalty": 2.0},
        {"extra_body": {"repetition_penalty": 1.9}},
        {"logit_bias": {"40": 100}},
    ]
    for options in changes:
        assert text_of(ask(client, temperature=0, max_tokens=60, **options)) != plain
    neutral: dict[str, Any] = {
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "logit_bias": {},
        "extra_body": {"min_p": 0, "repetition_penalty": 1.0},
    }
    assert text_of(ask(client, temperature=0, max_tokens=60, **neutral)) == plain
    assert text_of(ask(client, seed=5, max_tokens=60, extra_body={"min_p": 1.0})) == plain
    only = ask(client, seed=1, max_tokens=9, logit_bias={"33": 100}, logprobs=True).choices[0].logprobs
    assert only is not None
    assert len({token.token for token in only.content or []}) == 1
