"""Functions that a chat offers: the official client and LangChain get calls with the answer, or with the deferral."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.services.gateway.chat.chats import MODEL, client_of, content, messages
from tests.services.gateway.upstream import Upstream

DEFERRAL = "There is no reliable answer to this question."


class Finding(BaseModel):
    """A finding that has room for a deferral."""

    decision: Literal["answer", "defer"]
    answer: str | None
    confidence: float | None


class Sure(BaseModel):
    """A finding that has none."""

    answer: str


def function(form: type[BaseModel] = Finding, name: str = "tell") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": form.model_json_schema()}}


NAMED = {"type": "function", "function": {"name": "tell"}}


@pytest.fixture(scope="module")
def openai_client(gateway_url: str) -> Iterator[OpenAI]:
    with client_of(gateway_url) as client:
        yield client


@pytest.fixture
def ask(openai_client: OpenAI, upstream: Upstream) -> Any:
    """Ask by a function, with changes."""

    def create(max_risk: float = 0.6, **changes: Any) -> Any:
        given = {"model": MODEL, "messages": messages(), "tools": [function()], "tool_choice": NAMED, **changes}
        return openai_client.chat.completions.create(**given, extra_body={"max_risk": max_risk})

    return create


def test_a_named_function_is_called_with_the_answer_or_the_deferral(ask: Any) -> None:
    [choice] = ask().choices
    assert (choice.finish_reason, choice.message.content, choice.message.refusal) == ("stop", None, None)
    [call] = choice.message.tool_calls
    assert (call.type, call.function.name) == ("function", "tell")
    given = Finding.model_validate_json(call.function.arguments)
    assert (given.decision, given.answer) == ("answer", "Oval")
    assert given.confidence is not None
    reply = ask(max_risk=0.1)
    left = json.loads(reply.choices[0].message.tool_calls[0].function.arguments)
    assert left == {"decision": "defer", "answer": None, "confidence": None}
    assert "Oval" not in reply.model_dump_json()


def test_a_required_call_is_that_of_the_one_function(ask: Any) -> None:
    [choice] = ask(tool_choice="required").choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.name == "tell"


def test_a_function_that_has_no_room_for_a_deferral_is_not_called(ask: Any) -> None:
    assert json.loads(ask(tools=[function(Sure)]).choices[0].message.tool_calls[0].function.arguments) == {
        "answer": "Oval"
    }
    for how in (NAMED, "required"):
        [choice] = ask(max_risk=0.1, tools=[function(Sure)], tool_choice=how).choices
        assert choice.message.tool_calls is None
        assert choice.message.refusal.startswith(DEFERRAL)
        assert choice.finish_reason == "stop"


@pytest.mark.parametrize("how", ["auto", "none", None])
def test_without_a_name_the_reply_is_in_words(how: str | None, ask: Any) -> None:
    """A tool of another purpose, whose arguments the gateway could not know, is no reason to refuse."""
    other = {"type": "function", "function": {"name": "delete", "parameters": {"type": "object"}}}
    more = {} if how is None else {"tool_choice": how}
    [choice] = ask(tools=[other], **{"tool_choice": openai.omit, **more}).choices
    assert choice.message.content.startswith("B (Oval)")
    assert choice.message.tool_calls is None


@pytest.mark.parametrize("max_risk", [0.6, 0.1])
def test_a_stream_has_the_same_call(max_risk: float, ask: Any) -> None:
    chunks = list(ask(max_risk=max_risk, stream=True))
    deltas = [each.choices[0].delta for each in chunks]
    assert deltas[0].content is None
    assert deltas[1].reasoning_content == "Weigh the border."
    begun, told = [each.tool_calls[0] for each in deltas if each.tool_calls]
    assert (begun.index, begun.function.name, begun.function.arguments) == (0, "tell", "")
    assert begun.id.startswith("call_")
    whole = ask(max_risk=max_risk).choices[0].message.tool_calls[0].function.arguments
    assert told.function.arguments == whole
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].calibration["decision"] == ("answer" if max_risk == 0.6 else "defer")


def test_the_clients_own_functions_are_parsed(openai_client: OpenAI, upstream: Upstream) -> None:
    for max_risk, answer in ((0.6, "Oval"), (0.1, None)):
        reply = openai_client.chat.completions.parse(
            model=MODEL,
            messages=messages(),
            tools=[openai.pydantic_function_tool(Finding, name="tell")],
            tool_choice={"type": "function", "function": {"name": "tell"}},
            extra_body={"max_risk": max_risk},
        )
        calls = reply.choices[0].message.tool_calls
        assert calls is not None
        found = calls[0].function.parsed_arguments
        assert isinstance(found, Finding)
        assert found.answer == answer


@pytest.mark.parametrize("method", ["function_calling", "json_mode", "json_schema"])
def test_langchains_ways_to_an_object(method: Any, gateway_url: str, upstream: Upstream) -> None:
    from langchain_openai import ChatOpenAI  # takes three seconds, which every process that reads the tests would spend

    question = [{"role": "user", "content": content()}]
    found: list[Any] = []
    for max_risk in (0.6, 0.1):
        model = ChatOpenAI(
            model=MODEL, base_url=f"{gateway_url}/v1", api_key="none", max_retries=0, timeout=20,
            extra_body={"max_risk": max_risk},
        )  # fmt: skip
        found.append(model.with_structured_output(Finding, method=method).invoke(question))
    given, left = found
    assert (given.decision, given.answer) == ("answer", "Oval")
    assert left == Finding(decision="defer", answer=None, confidence=None)


TWO = [function(), function(name="other")]
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such function": ({"tool_choice": {"type": "function", "function": {"name": "x"}}},
                         "tool_choice.function.name", "has that name"),
    "one of several": ({"tools": TWO, "tool_choice": "required"}, "tool_choice", "must be named"),
    "none offered": ({"tools": []}, "tool_choice", "needs 'tools'"),
    "two of one name": ({"tools": [function(), function()]}, "tools", "one name"),
    "another word": ({"tool_choice": "any"}, "tool_choice", "auto"),
    "another kind of choice": ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
                               "tool_choice.", "expected|should"),
    "another kind of tool": ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type",
                             "expected|should"),
    "a form as well": ({"response_format": {"type": "json_object"}}, "tool_choice", "give one of them"),
    "no arguments": ({"tools": [{"type": "function", "function": {"name": "tell"}}]},
                     "tools[0].function.parameters", "name its properties"),
    "arguments that are no object": (
        {"tools": [{"type": "function", "function": {"name": "tell", "parameters": {"type": "array"}}}]},
        "tools[0].function.parameters", "'object'",
    ),
    "arguments that no reply has": (
        {"tools": [{"type": "function", "function": {"name": "tell", "parameters": {
            "type": "object", "properties": {"dose": {"type": "number"}}, "required": ["dose"]}}}]},
        "tools[0].function.parameters.properties.dose", "no 'dose'",
    ),
    "very many functions": ({"tools": [function(name=f"f{n}") for n in range(129)]}, "tools", "128"),
    "a call of earlier": (
        {"messages": [*messages(), {"role": "assistant", "content": "x", "tool_calls": []}]},
        "messages[1].role", "assistant",
    ),
    "a function's reply": ({"messages": [*messages(), {"role": "tool", "content": "x"}]}, "messages[1].role", "tool"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_called_is_refused_before_a_model_is_asked(what: str, ask: Any, upstream: Upstream) -> None:
    changes, param, said = REFUSED[what]
    with pytest.raises(openai.BadRequestError, match=said) as refused:
        ask(**changes)
    assert str(refused.value.param).startswith(param)
    assert upstream.asked == []
