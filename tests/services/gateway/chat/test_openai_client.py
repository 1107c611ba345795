"""The official client against a gateway: what its users rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.services.gateway.chat.chats import MODEL, TEXT, client_of, content, data_url, messages
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.upstream import Upstream
from tests.support.keys import keys_at

USAGE = {"usage": {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}}
DEFERRAL = "There is no reliable answer to this question."


@pytest.fixture(scope="module")
def openai_client(gateway_url: str) -> Iterator[OpenAI]:
    with client_of(gateway_url) as client:
        yield client


@pytest.fixture
def ask(openai_client: OpenAI, upstream: Upstream) -> Any:
    """Ask with changes to a good request; half of what the scripted model says is right, so that 0.5 is calibrated."""

    def create(**changes: Any) -> Any:
        given = {"model": MODEL, "messages": messages(), "extra_body": {"max_risk": 0.6}, **changes}
        return openai_client.chat.completions.create(**given)

    return create


def test_an_answer_comes_in_words_with_its_confidence(ask: Any, upstream: Upstream) -> None:
    upstream.more = USAGE
    reply = ask()
    [choice] = reply.choices
    assert choice.finish_reason == "stop"
    first, _, rest = choice.message.content.partition("\n\n")
    share = round(100 * reply.calibration["confidence"])
    assert first == f"B (Oval). Of 100 answers like this one about {share} were right. No guarantee."
    assert rest == reply.calibration["reason"]
    assert choice.message.reasoning_content == "Weigh the border."
    assert reply.model == MODEL
    assert reply.id.startswith("chatcmpl-")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (300, 20, 320)


def test_the_calibration_is_there_for_programs(ask: Any) -> None:
    found = ask().calibration
    assert found["decision"] == "answer"
    assert found["answer"] == {"letter": "B", "text": "Oval"}
    assert 0.4 < found["confidence"] < 0.7
    assert found["calibrated"] is True
    assert found["guarantee"] is False
    assert found["method"] == "cgp"
    assert found["origin"]["calibrator"] == "platt-cgp"
    assert found["basis"]["code"] == "confident-enough"
    assert found["recorded"] is True


def test_a_deferral_states_no_answer_anywhere(ask: Any) -> None:
    """Neither the option nor the model's text, which names it, is in any part of the reply."""
    reply = ask(extra_body={"max_risk": 0.1})
    assert reply.choices[0].message.content.startswith(f"{DEFERRAL} A person should answer: ")
    assert reply.calibration["decision"] == "defer"
    assert reply.calibration["answer"] is None
    assert reply.calibration["confidence"] is None
    assert reply.calibration["calibrated"] is False
    assert "Oval" not in reply.model_dump_json()
    assert '"B"' not in reply.model_dump_json()


def test_it_is_the_question_that_vqa_would_have_asked(ask: Any, upstream: Upstream, gateway_url: str) -> None:
    """The downstream model gets the same bytes, and under one key it is one answer with one record."""
    import base64

    headers = {"Idempotency-Key": "0123456789abcdef-of-a-chat"}
    chat = ask(extra_headers=headers)
    body = {
        "image": base64.b64encode(picture()).decode(),
        "question": "Which shape?",
        "options": ["Round", "Oval", "Spiculated"],
        "method": "cgp",
        "max_risk": 0.6,
    }
    plain = httpx.post(f"{gateway_url}/vqa", json=body, headers=headers, timeout=20).json()
    assert upstream.asked[0] == upstream.asked[1]
    assert chat.calibration["id"] == plain["id"]
    assert chat.calibration["confidence"] == plain["confidence"]


def test_options_come_in_three_ways(ask: Any, upstream: Upstream) -> None:
    plain = messages("Which shape?")
    options = ["Round", "Oval", "Spiculated"]
    ask()
    ask(messages=plain, metadata={"options": json.dumps(options), "max_risk": "0.6", "case": "17"}, extra_body={})
    ask(messages=plain, extra_body={"options": options, "max_risk": 0.6})
    ask(messages=plain, extra_body={"options": dict(zip("ABC", options, strict=True)), "max_risk": 0.6})
    assert [each["messages"] for each in upstream.asked] == [upstream.asked[0]["messages"]] * 4


def test_a_question_without_options_is_an_open_one(ask: Any, upstream: Upstream) -> None:
    upstream.text = "The answer is pneumonia with confidence 90."
    reply = ask(messages=messages("What is seen?"))
    assert reply.calibration["decision"] == "defer"
    assert reply.choices[0].message.content.startswith(DEFERRAL)
    assert "pneumonia" not in reply.model_dump_json()


def test_models_are_methods(openai_client: OpenAI, upstream: Upstream, ask: Any) -> None:
    names = [model.id for model in openai_client.models.list()]
    assert names == [
        "calibrated-vqa", "calibrated-vqa/cgp", "calibrated-vqa/cgp+logprob", "calibrated-vqa/verbalized"
    ]  # fmt: skip
    assert openai_client.models.retrieve("calibrated-vqa/cgp+logprob").owned_by == "trustvqa"
    assert ask(model="calibrated-vqa").calibration["method"] == "cgp"
    assert ask(model="calibrated-vqa/verbalized").calibration["method"] == "verbalized"
    assert len(upstream.guided) == 1
    for wrong in (lambda: openai_client.models.retrieve("gpt-5"), lambda: ask(model="calibrated-vqa/consistency")):
        with pytest.raises(openai.NotFoundError) as refused:
            wrong()
        assert refused.value.code == "model_not_found"
        assert refused.value.param == "model"


# --- JSON -------------------------------------------------------------------------------------------------------------


class Finding(BaseModel):
    answer: str | None
    confidence: float | None
    reason: str


class Lettered(BaseModel):
    answer: Literal["A", "B", "C"]
    confidence: float


def test_a_json_object_has_the_documented_names(ask: Any) -> None:
    found = json.loads(ask(response_format={"type": "json_object"}).choices[0].message.content)
    assert found.keys() == {
        "decision", "answer", "letter", "confidence", "calibrated", "guarantee", "method", "reason", "option_set", "id"
    }  # fmt: skip
    assert (found["decision"], found["answer"], found["letter"], found["calibrated"]) == ("answer", "Oval", "B", True)
    reply = ask(response_format={"type": "json_object"}, extra_body={"max_risk": 0.1})
    found = json.loads(reply.choices[0].message.content)
    assert (found["decision"], found["answer"], found["letter"], found["confidence"]) == ("defer", None, None, None)


def test_a_models_fields_are_filled_and_a_deferral_leaves_them_empty(openai_client: OpenAI, upstream: Upstream) -> None:
    def parse(form: type[Any], max_risk: float) -> Any:
        reply = openai_client.chat.completions.parse(
            model=MODEL, messages=messages(), response_format=form, extra_body={"max_risk": max_risk}
        )
        return reply.choices[0].message

    given = parse(Finding, 0.6).parsed
    assert given.answer == "Oval"
    assert 0.4 < given.confidence < 0.7
    left = parse(Finding, 0.1).parsed
    assert left.answer is None
    assert left.confidence is None
    assert left.reason.startswith("A person should answer")
    # A schema with no room for a deferral: the client learns of it as of a refusal.
    assert parse(Lettered, 0.6).parsed.answer == "B"
    refused = parse(Lettered, 0.1)
    assert refused.parsed is None
    assert refused.content is None
    assert refused.refusal.startswith(DEFERRAL)


# --- Streams ----------------------------------------------------------------------------------------------------------


def test_a_stream_has_guidance_first_and_no_answer_before_the_decision(ask: Any, upstream: Upstream) -> None:
    upstream.downstream, upstream.more = "held", USAGE
    stream = ask(stream=True, stream_options={"include_usage": True})
    first, second = next(stream), next(stream)
    assert first.choices[0].delta.role == "assistant"
    assert first.choices[0].delta.content == ""
    assert second.choices[0].delta.reasoning_content == "Weigh the border."
    upstream.release.set()
    text, end, usage = list(stream)
    upstream.downstream = "reply"
    assert text.choices[0].delta.content == ask().choices[0].message.content
    assert end.choices[0].finish_reason == "stop"
    assert end.calibration["answer"] == {"letter": "B", "text": "Oval"}
    assert usage.choices == []
    assert usage.usage.total_tokens == 320
    assert len({each.id for each in (first, second, text, end, usage)}) == 1


def test_a_streamed_deferral_states_no_answer(ask: Any) -> None:
    chunks = list(ask(stream=True, extra_body={"max_risk": 0.1}))
    assert "".join(each.choices[0].delta.content or "" for each in chunks).startswith(DEFERRAL)
    assert "Oval" not in "".join(each.model_dump_json() for each in chunks)


def test_a_stream_that_fails_is_an_error_of_the_client(ask: Any, upstream: Upstream) -> None:
    upstream.downstream = 500
    with pytest.raises(openai.APIError, match="downstream model"):
        list(ask(stream=True))


def test_leaving_a_stream_ends_the_work(ask: Any, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    stream = ask(stream=True)
    next(stream)
    assert upstream.arrived.acquire(timeout=20)
    stream.close()
    assert upstream.hung_up.wait(10)


# --- Refusals ---------------------------------------------------------------------------------------------------------


TURNS = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}, *messages()]
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a system message": (
        {"messages": [{"role": "system", "content": "Be sure."}, *messages()]}, "messages[0].role", "wording"
    ),
    "earlier turns": ({"messages": TURNS}, "messages[1].role", "assistant"),
    "two questions": ({"messages": [*messages(), *messages()]}, "messages", "one message"),
    "no picture": ({"messages": [{"role": "user", "content": TEXT}]}, "messages[0].content", "picture"),
    "two pictures": ({"messages": [{"role": "user", "content": content() * 2}]}, "messages[0].content", "one picture"),
    "an address": (
        {"messages": messages(url="https://example.org/a.png")}, "messages[0].content[1].image_url.url", "not fetched"
    ),
    "no picture's bytes": (
        {"messages": messages(url=data_url(b"hello"))}, "messages[0].content[1].image_url.url", ""
    ),
    "blank": ({"messages": messages("A: Round\nB: Oval")}, "messages[0].content", "blank"),
    "unclear options": ({"messages": messages("Which?\nA: Round\nC: Oval")}, "messages[0].content", "in order"),
    "options alike": ({"messages": messages("Which?\nA: Oval\nB: oval")}, "messages[0].content", "differ"),
    "options twice": (
        {"extra_body": {"options": ["a", "b"]}, "metadata": {"options": "[]"}}, "metadata.options", "twice"
    ),
    "metadata that is no JSON": ({"metadata": {"options": "a, b"}}, "metadata.options", "JSON"),
    "a risk beyond 1": ({"metadata": {"max_risk": "7"}, "extra_body": {}}, "metadata.max_risk", "less than"),
    "several answers": ({"n": 2}, "n", "one answer"),
    "another temperature": ({"temperature": 0.7}, "temperature", "Calibration"),
    "a short answer": ({"max_tokens": 5}, "max_tokens", "cut short"),
    "functions of the older kind": ({"extra_body": {"functions": [{"name": "f"}]}}, "functions", "support"),
    "log-probabilities": ({"logprobs": True}, "logprobs", "False"),
    "a stop": ({"stop": ["x"]}, "stop", "support"),
    "an unknown field": ({"extra_body": {"optoins": []}}, "optoins", "Unrecognized"),
    "a schema of other things": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "x",
                    "schema": {"type": "object", "properties": {"dose": {"type": "number"}}, "required": ["dose"]},
                },
            }
        },
        "response_format.json_schema.schema.properties.dose",
        "no 'dose'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_served_is_refused_before_a_model_is_asked(what: str, ask: Any, upstream: Upstream) -> None:
    changes, param, said = REFUSED[what]
    with pytest.raises(openai.BadRequestError) as refused:
        ask(**changes)
    assert refused.value.param == param
    assert said in str(refused.value)
    assert refused.value.type == "invalid_request_error"
    assert refused.value.code
    assert (refused.value.code == "unclear_options") == (what == "unclear options")
    assert upstream.asked == []


@pytest.mark.parametrize(
    "more", [b', "max_risk": 0.9}', b', "metadata": {"a": "1", "a": "2"}}', b', "top_p": NaN}', b"\xff}"]
)
def test_json_that_can_be_read_in_two_ways_is_refused(gateway_url: str, upstream: Upstream, more: bytes) -> None:
    body = json.dumps({"model": MODEL, "messages": messages(), "max_risk": 0.1}).encode()
    headers = {"Content-Type": "application/json"}
    url = f"{gateway_url}/v1/chat/completions"
    assert httpx.post(url, content=body, headers=headers, timeout=20).status_code == 200
    asked = len(upstream.asked)
    refused = httpx.post(url, content=body[:-1] + more, headers=headers, timeout=20)
    assert refused.status_code == 400
    assert "not valid JSON" in refused.json()["error"]["message"]
    assert len(upstream.asked) == asked


def test_what_asks_for_nothing_else_is_taken(ask: Any) -> None:
    taken = {
        "n": 1, "temperature": 0, "top_p": 0.9, "seed": 7, "max_tokens": 4096, "user": "u", "tools": [], "stop": None,
        "logprobs": False, "response_format": {"type": "text"}, "service_tier": "auto", "store": False,
        "presence_penalty": 0, "metadata": {"case": "17"},
        "messages": [{"role": "system", "content": ""}, *messages()],
    }  # fmt: skip
    assert ask(**taken).calibration["decision"] == "answer"


@pytest.mark.parametrize(
    ("how", "error", "code"),
    [(503, openai.InternalServerError, "downstream_busy"), (400, openai.InternalServerError, "downstream_failed")],
)
def test_a_model_that_fails_is_an_error_of_openais_kind(
    how: int, error: type[openai.APIStatusError], code: str, ask: Any, upstream: Upstream
) -> None:
    upstream.downstream = how
    with pytest.raises(error) as refused:
        ask()
    assert refused.value.code == code
    assert refused.value.type == "server_error"


def test_a_key_of_the_gateway_is_the_clients_key(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    texts = keys_at(tmp_path / "keys.json", user=["ask"], scraper=["metrics"])
    asked: dict[str, Any] = {"model": MODEL, "messages": messages()}
    with make_gateway(api_keys=tmp_path / "keys.json") as url:
        with client_of(url, api_key=texts["user"]) as client:
            assert client.chat.completions.create(**asked).choices
            assert client.models.list().data
        with client_of(url, api_key="tvqa_none") as client, pytest.raises(openai.AuthenticationError) as refused:
            client.chat.completions.create(**asked)
        assert refused.value.code == "key_refused"
        with client_of(url, api_key=texts["scraper"]) as client, pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(**asked)


def test_the_request_id_is_the_gateways_own(ask: Any) -> None:
    assert ask(extra_headers={"X-Request-Id": "from-a-chat"})._request_id == "from-a-chat"


def test_routes_of_openais_that_are_not_served_have_its_errors_and_our_own_have_theirs(gateway_url: str) -> None:
    with httpx.Client(base_url=gateway_url) as http:
        missing = http.post("/v1/embeddings", json={})
        assert missing.status_code == 404
        assert missing.json()["error"]["code"] == "not_found"
        assert http.get("/v1/calibrators/none").headers["content-type"] == "application/problem+json"
