"""Functions that the text is the arguments of, as the official client names and reads them."""

from __future__ import annotations

import json
from typing import Any, Literal

import openai
import pytest
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageFunctionToolCall
from pydantic import BaseModel, ConfigDict

from services.downstream.conversion import to_generation
from services.downstream.schemas import ChatCompletionRequest
from tests.services.downstream.conftest import MODEL
from tests.services.downstream.test_openai_client import HELLO, ask
from tests.services.downstream.test_text_forms import Finding


class Pick(BaseModel):
    """A letter, which the model soon has written."""

    model_config = ConfigDict(extra="forbid")

    letter: Literal["A", "B"]


def function(form: type[BaseModel] = Finding, name: str = "tell") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": form.model_json_schema()}}


def call_in(message: ChatCompletionMessage) -> ChatCompletionMessageFunctionToolCall:
    """The one call of a reply."""
    [call] = message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    return call


NAMED = {"type": "function", "function": {"name": "tell"}}
TOOLS = [function(), function(name="other")]


def test_a_named_function_is_called_by_every_choice(client: openai.OpenAI) -> None:
    tools = [function(Pick), function(name="other")]
    reply = ask(client, n=2, seed=1, max_tokens=200, tools=tools, tool_choice=NAMED)
    calls = [call_in(choice.message) for choice in reply.choices]
    assert len({call.id for call in calls}) == 2
    for choice, call in zip(reply.choices, calls, strict=True):
        assert (choice.message.content, choice.finish_reason, call.function.name) == (None, "stop", "tell")
        Pick.model_validate_json(call.function.arguments)


def test_the_arguments_are_what_the_schema_alone_would_get(client: openai.OpenAI) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": Finding.model_json_schema()}}
    held = ask(client, seed=1, max_tokens=400, response_format=form).choices[0].message.content
    [choice] = ask(client, seed=1, max_tokens=400, tools=TOOLS[:1], tool_choice="required").choices
    assert choice.finish_reason == "tool_calls"
    assert call_in(choice.message).function.arguments == held


def test_a_stream_of_arguments_is_parsed_as_it_comes(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=HELLO, max_tokens=400, seed=1,
        tools=[openai.pydantic_function_tool(Finding, name="tell")],
        tool_choice={"type": "function", "function": {"name": "tell"}},
    ) as stream:  # fmt: skip
        kinds = [event.type for event in stream]
        message = stream.get_final_completion().choices[0].message
    assert kinds.count("tool_calls.function.arguments.delta") > 1
    assert message.tool_calls is not None
    assert isinstance(message.tool_calls[0].function.parsed_arguments, Finding)


def test_a_call_that_is_cut_off_ends_by_its_length(client: openai.OpenAI) -> None:
    [choice] = ask(client, seed=1, max_tokens=3, tools=TOOLS[:1], tool_choice="required").choices
    assert choice.finish_reason == "length"


def test_where_no_function_is_to_be_called_the_text_is_any(client: openai.OpenAI) -> None:
    plain = ask(client, seed=1, max_tokens=9).choices[0].message.content
    assert ask(client, seed=1, max_tokens=9, tools=TOOLS, tool_choice="none").choices[0].message.content == plain


@pytest.mark.parametrize(
    ("changes", "param", "said"),
    [
        ({"tools": TOOLS}, "tool_choice", "by itself"),
        ({"tools": TOOLS, "tool_choice": "auto"}, "tool_choice", "by itself"),
        ({"tools": TOOLS, "tool_choice": "required"}, "tool_choice", "must be named"),
        ({"tool_choice": NAMED}, "tool_choice", "needs 'tools'"),
        (
            {"tools": TOOLS, "tool_choice": NAMED, "extra_body": {"structured_outputs": {"choice": ["a"]}}},
            "structured_outputs",
            "as well",
        ),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "tell", "parameters": {"type": "object", "$ref": "#/x"}}}
                ],
                "tool_choice": NAMED,
            },
            "tools[0].function.parameters",
            "Invalid schema",
        ),
    ],
)
def test_what_cannot_be_called_is_refused(client: openai.OpenAI, changes: Any, param: str, said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as refused:
        ask(client, max_tokens=9, **changes)
    assert refused.value.param == param


SCHEMA = {"type": "object", "properties": {"letter": {"enum": ["A", "B"]}}, "required": ["letter"]}


@pytest.mark.parametrize(
    ("told", "held_to"),
    [
        ([f"Reply by this schema: {json.dumps(SCHEMA)}"], SCHEMA),
        (["Reply in JSON."], {"type": "object"}),
        (['Reply like {"letter": "A"}.'], {"type": "object"}),
        ([json.dumps(SCHEMA), json.dumps(SCHEMA)], {"type": "object"}),
    ],
)
def test_a_json_object_is_held_to_the_one_schema_that_instructions_tell(told: list[str], held_to: Any) -> None:
    messages = [*({"role": "system", "content": each} for each in told), {"role": "user", "content": "Which?"}]
    asked = {"model": MODEL, "messages": messages, "response_format": {"type": "json_object"}}
    constraint = to_generation(ChatCompletionRequest.model_validate(asked), [], 1.0).constraint
    assert constraint is not None
    assert json.loads(constraint.source) == held_to
