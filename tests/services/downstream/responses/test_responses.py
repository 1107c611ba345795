"""OpenAI's Responses API by the official client, against a real server."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response

from services.downstream.responses.replies import ResponsesReply
from tests.services.common.engine.tiny import CONTEXT, data_url, png
from tests.services.downstream.conftest import MODEL
from tests.services.downstream.test_openai_client import ask, look, text_of
from tests.services.downstream.test_text_forms import Finding


def respond(client: openai.OpenAI, said: Any = "hello there", **options: Any) -> Response:
    found = client.responses.create(**{"model": MODEL, "input": said, "max_output_tokens": 12, **options})
    assert isinstance(found, Response)
    return found


def see(seed: int, text: str = "what is it") -> list[Any]:
    picture = {"type": "input_image", "image_url": data_url(png(seed)), "detail": "auto"}
    return [{"role": "user", "content": [picture, {"type": "input_text", "text": text}]}]


def test_a_response_is_what_the_chat_says(client: openai.OpenAI) -> None:
    seed = {"extra_body": {"seed": 6}}
    assert respond(client, **seed).output_text == text_of(ask(client, seed=6))
    assert respond(client, see(3), **seed).output_text == text_of(ask(client, look(3), seed=6))
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello there"}]
    assert respond(client, instructions="be brief", **seed).output_text == text_of(ask(client, messages, seed=6))
    assert respond(client, see(1), temperature=0).output_text != respond(client, see(2), temperature=0).output_text


def test_a_response_repeats_what_was_asked_and_counts_tokens(server: str, client: openai.OpenAI) -> None:
    told = {"instructions": "be brief", "metadata": {"a": "b"}}
    found = respond(client, temperature=0.5, top_p=0.9, **told, store=False, extra_body={"seed": 6})
    assert (found.object, found.model, found.error) == ("response", MODEL, None)
    assert (found.temperature, found.top_p, found.instructions, found.metadata) == (0.5, 0.9, "be brief", {"a": "b"})
    assert (found.status, found.incomplete_details and found.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    assert found.usage is not None
    assert found.usage.output_tokens == 12
    assert found.usage.total_tokens == found.usage.input_tokens + 12
    raw = httpx.post(f"{server}/v1/responses", json={"model": MODEL, "input": "hi", "max_output_tokens": 3}).json()
    assert set(ResponsesReply.model_validate(raw).model_fields_set) == set(raw) == set(ResponsesReply.model_fields)


def test_a_conversation_goes_on_with_what_the_client_received(client: openai.OpenAI) -> None:
    first = respond(client, extra_body={"seed": 1})
    conversation = [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": "hello there"},
        *[item.model_dump() for item in first.output],
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and then?"}]},
    ]
    chat = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hello there"},
        {"role": "assistant", "content": [{"type": "text", "text": first.output_text}]},
        {"role": "user", "content": [{"type": "text", "text": "and then?"}]},
    ]
    said = respond(client, conversation, extra_body={"seed": 2}).output_text
    assert said == text_of(ask(client, chat, seed=2))


def test_a_pydantic_model_is_parsed(client: openai.OpenAI) -> None:
    found = client.responses.parse(model=MODEL, input=see(2), text_format=Finding, max_output_tokens=400)
    assert found.status == "completed"
    assert isinstance(found.output_parsed, Finding)
    text = respond(client, text={"format": {"type": "json_object"}}, max_output_tokens=30).output_text
    assert text.startswith("{")


def test_a_stream_has_openais_events_in_their_order(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"model": MODEL, "input": see(5), "max_output_tokens": 30, "extra_body": {"seed": 9}}
    whole = respond(client, see(5), max_output_tokens=30, extra_body={"seed": 9})
    with client.responses.stream(**options) as stream:
        events = list(stream)
    kinds = [event.type for event in events]
    deltas = kinds.count("response.output_text.delta")
    assert deltas > 1
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.output_text == whole.output_text
    assert last.response.usage == whole.usage


def test_a_stream_that_is_complete_is_parsed(client: openai.OpenAI) -> None:
    with client.responses.stream(
        model=MODEL, input="hello there", text_format=Finding, max_output_tokens=400
    ) as stream:
        final = stream.until_done().get_final_response()
    assert final.status == "completed"
    assert isinstance(final.output_parsed, Finding)


def test_log_probabilities(client: openai.OpenAI) -> None:
    found = respond(
        client, include=["message.output_text.logprobs"], top_logprobs=3, extra_body={"seed": 4}
    ).model_dump()
    tokens = found["output"][0]["content"][0]["logprobs"]
    chat = ask(client, seed=4, logprobs=True, top_logprobs=3).choices[0].logprobs
    assert chat is not None
    assert [each["token"] for each in tokens] == [each.token for each in chat.content or []]
    assert all(len(each["top_logprobs"]) == 3 for each in tokens)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"store": True}, "store"),
    ({"background": True}, "background"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"tools": [{"type": "web_search"}]}, "tools"),
    ({"reasoning": {"effort": "low"}}, "reasoning"),
    ({"temperature": 3}, "temperature"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"max_output_tokens": CONTEXT}, "input"),
    ({"input": "z" * CONTEXT}, "input"),
    ({"input": []}, "input"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
    ({"input": [{"type": "function_call", "role": "user", "content": "x"}]}, "input[0].type"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://a.b/c"}]}]}, "input"),
    ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].type"),
    ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
    ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "odd"}}}}, "text.format"),
    ({"stream_options": {"include_obfuscation": True}}, "stream_options"),
    ({"extra_body": {"beams": 4}}, "beams"),
]


@pytest.mark.parametrize(("options", "param"), FAULTS)
def test_a_faulty_request_is_refused_by_its_own_names(
    client: openai.OpenAI, options: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, **options)
    assert caught.value.param == param
    assert "response_format" not in str(caught.value)
    if "stream_options" not in options:
        with pytest.raises(openai.BadRequestError):
            respond(client, **options, stream=True)


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        respond(client, model="gpt-9")


def test_a_response_that_fails_on_its_way_says_so_in_its_last_event(client: openai.OpenAI) -> None:
    """An object of so many optional members that its grammar becomes too complex once a text is under way."""
    members = {f"p{i}": {"type": "string"} for i in range(1200)}
    wide = {"type": "object", "properties": members, "additionalProperties": False}
    form: Any = {"format": {"type": "json_schema", "name": "wide", "schema": wide}}
    events = list(client.responses.create(model=MODEL, input="hello there", text=form, stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error is not None
    assert "text.format" in events[-1].response.error.message
