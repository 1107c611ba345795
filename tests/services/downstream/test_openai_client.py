"""The official client against a real server: what works with OpenAI works here."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.services.common.engine.tiny import CONTEXT, SPECIAL, blank, data_url, png
from tests.services.downstream.conftest import MODEL
from tests.support.waiting import until

HELLO: list[Any] = [{"role": "user", "content": "hello there"}]


def look(seed: int, *more: int, text: str = "what is it") -> list[Any]:
    images = [{"type": "image_url", "image_url": {"url": data_url(png(number))}} for number in (seed, *more)]
    return [{"role": "user", "content": [*images, {"type": "text", "text": text}]}]


def ask(client: openai.OpenAI, messages: list[Any] = HELLO, **options: Any) -> ChatCompletion:
    found = client.chat.completions.create(**{"model": MODEL, "messages": messages, "max_tokens": 12, **options})
    assert isinstance(found, ChatCompletion)
    return found


def text_of(reply: ChatCompletion, index: int = 0) -> str:
    content = reply.choices[index].message.content
    assert content is not None
    return content


def test_models_are_listed_and_looked_up(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("another/model")


def test_a_chat_is_continued(client: openai.OpenAI) -> None:
    reply = ask(client, seed=1)
    assert reply.object == "chat.completion"
    assert reply.model == MODEL
    assert reply.choices[0].message.role == "assistant"
    assert text_of(reply)
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 12
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + 12
    assert reply.choices[0].logprobs is None


def test_roles_and_parts_and_the_clients_own_messages_are_taken(client: openai.OpenAI) -> None:
    first = ask(client, seed=1)
    conversation = [
        {"role": "system", "content": "be brief"},
        {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
        {"role": "user", "content": [{"type": "text", "text": "hello there"}], "name": "ann"},
        first.choices[0].message.model_dump(),
        {"role": "user", "content": "and then?"},
    ]
    assert text_of(ask(client, conversation, seed=1)) != text_of(first)


def test_images_are_seen(client: openai.OpenAI) -> None:
    def said(messages: list[Any]) -> str:
        return text_of(ask(client, messages, temperature=0))

    assert said(look(1)) == said(look(1))
    assert len({said(look(1)), said(look(2)), said(look(1, 2)), said(look(2, 1)), said(HELLO)}) == 5
    one, two = (ask(client, look(*seeds)).usage for seeds in ((1,), (1, 2)))
    assert one is not None
    assert two is not None
    assert two.prompt_tokens - one.prompt_tokens == 2 + 3 * 2  # begin, end, and 84 x 56 pixels in squares of 28


def test_a_seed_gives_the_same_text_and_samples_differ(client: openai.OpenAI) -> None:
    several = ask(client, look(3), n=5, seed=-7)
    texts = [choice.message.content for choice in several.choices]
    assert [choice.index for choice in several.choices] == list(range(5))
    assert len(set(texts)) == 5
    assert [choice.message.content for choice in ask(client, look(3), n=5, seed=-7).choices] == texts
    assert text_of(ask(client, look(3), seed=-7)) == texts[0]
    assert text_of(ask(client, look(3), seed=8)) != texts[0]
    assert text_of(ask(client, look(3))) != text_of(ask(client, look(3)))
    assert several.usage is not None
    assert several.usage.completion_tokens == 60


async def test_a_seed_gives_the_same_text_in_a_crowd(async_client: openai.AsyncOpenAI) -> None:
    async def said(seed: int) -> str | None:
        reply = await async_client.chat.completions.create(
            model=MODEL, messages=look(seed), max_tokens=10, seed=seed, temperature=1
        )
        return reply.choices[0].message.content

    alone = [await said(seed) for seed in range(24)]
    assert len(set(alone)) == 24
    assert await asyncio.gather(*map(said, range(24))) == alone


def test_temperature_top_p_and_top_k_narrow_the_choice(client: openai.OpenAI) -> None:
    greedy = text_of(ask(client, temperature=0))
    narrow: list[dict[str, Any]] = [{"top_p": 1e-6}, {"extra_body": {"top_k": 1}}, {"temperature": 1e-6}]
    for options in narrow:
        assert text_of(ask(client, seed=5, **options)) == greedy
    assert text_of(ask(client, seed=5, extra_body={"top_k": -1})) == text_of(ask(client, seed=5))
    assert text_of(ask(client, seed=5)) != greedy


@pytest.mark.parametrize("name", ["n", "seed", "top_k", "max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("value", [2**63, 10**30])
def test_numbers_beyond_all_bounds_are_refused_by_name(client: openai.OpenAI, name: str, value: int) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, extra_body={name: value})
    assert caught.value.param == name


def test_token_limits_by_both_names(client: openai.OpenAI) -> None:
    for options in ({"max_tokens": 3}, {"max_completion_tokens": 3, "max_tokens": None}):
        usage = ask(client, seed=2, **options).usage
        assert usage is not None
        assert usage.completion_tokens == 3


def test_stop_strings_end_the_text(client: openai.OpenAI) -> None:
    whole = text_of(ask(client, seed=2, max_tokens=40))
    for stop in (whole[7:9], [whole[20:24], whole[12:15]]):
        reply = ask(client, seed=2, max_tokens=40, stop=stop)
        ends = [stop] if isinstance(stop, str) else stop
        assert text_of(reply) == whole[: min(whole.index(end) for end in ends)]
        assert reply.choices[0].finish_reason == "stop"


def test_log_probabilities(client: openai.OpenAI) -> None:
    reply = ask(client, look(4), seed=2, logprobs=True, top_logprobs=4, temperature=0)
    assert reply.choices[0].logprobs is not None
    tokens = reply.choices[0].logprobs.content
    assert tokens is not None
    assert len(tokens) == 12
    for token in tokens:
        values = [other.logprob for other in token.top_logprobs]
        assert len(values) == 4
        assert values == sorted(values, reverse=True)
        assert token.logprob == pytest.approx(values[0])
    spoken = b"".join(bytes(token.bytes or []) for token in tokens if token.token not in SPECIAL)
    assert spoken.decode("utf-8", "replace") == text_of(reply)
    plain = ask(client, look(4), seed=2, logprobs=True).choices[0].logprobs
    assert plain is not None
    assert plain.content is not None
    assert all(token.top_logprobs == [] for token in plain.content)


def test_a_stream_says_what_a_whole_reply_says(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"n": 2, "seed": 9, "logprobs": True, "top_logprobs": 1, "max_tokens": 30}
    whole = ask(client, look(5), **options)
    chunks: list[ChatCompletionChunk] = list(
        client.chat.completions.create(
            model=MODEL, messages=look(5), stream=True, stream_options={"include_usage": True}, **options
        )
    )
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    for choice in whole.choices:
        own = [c for chunk in chunks for c in chunk.choices if c.index == choice.index]
        assert own[0].delta.role == "assistant"
        assert "".join(c.delta.content or "" for c in own) == choice.message.content
        assert [c.finish_reason for c in own] == [None] * (len(own) - 1) + [choice.finish_reason]
        assert choice.logprobs is not None
        tokens = [token for c in own if c.logprobs for token in c.logprobs.content or []]
        assert [token.token for token in tokens] == [token.token for token in choice.logprobs.content or []]


def test_a_stream_comes_as_it_is_made(server: str) -> None:
    # So many that a busy client, who finds several that have come together, has more than enough pieces all the same.
    body = {"model": MODEL, "messages": HELLO, "max_tokens": 440, "stream": True, "temperature": 0}
    with httpx.stream("POST", f"{server}/v1/chat/completions", json=body, timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        pieces = list(response.iter_raw())
    assert len(pieces) > 20
    assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


FAULTS: list[tuple[dict[str, Any], str | None]] = [
    ({"temperature": 2.5}, "temperature"),
    ({"temperature": "warm"}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"n": 0}, "n"),
    ({"n": 13}, "n"),
    ({"seed": 1.5}, "seed"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_completion_tokens": 5}, "max_tokens"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"stop": ["x"] * 17}, "stop"),
    ({"stop": ""}, "stop"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tool_choice"),
    ({"frequency_penalty": 2.5}, "frequency_penalty"),
    ({"presence_penalty": -2.5}, "presence_penalty"),
    ({"extra_body": {"repetition_penalty": 0}}, "repetition_penalty"),
    ({"extra_body": {"min_p": 1.5}}, "min_p"),
    ({"logit_bias": {"1": 101}}, "logit_bias"),
    ({"logit_bias": {"a": 1}}, "logit_bias.a"),
    ({"logit_bias": {"99999": 1}}, "logit_bias"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format.json_schema.schema"),
    (_schema({"type": "nonsense"}), "response_format"),
    (_schema({"$ref": "http://127.0.0.1:9/x"}), "response_format"),
    ({"extra_body": {"structured_outputs": {}}}, "structured_outputs"),
    ({"extra_body": {"structured_outputs": {"regex": "a", "choice": ["b"]}}}, "structured_outputs"),
    ({"extra_body": {"structured_outputs": {"regex": "(a"}}}, "structured_outputs"),
    ({"extra_body": {"structured_outputs": {"choice": []}}}, "structured_outputs.choice"),
    ({**_schema({}), "extra_body": {"structured_outputs": {"regex": "a"}}}, "structured_outputs"),
    ({"extra_body": {"beams": 4}}, "beams"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": "z" * CONTEXT}]}, "messages"),
    ({"max_tokens": CONTEXT}, "messages"),
    ({"messages": look(1, 2, 3, 4)}, "messages"),
]


@pytest.mark.parametrize(
    ("options", "param", "stream"),
    # stream_options are in order where there is a stream
    [(*fault, stream) for fault in FAULTS for stream in (False, True) if not (stream and "stream_options" in fault[0])],
)
def test_a_faulty_request_is_refused_by_name(
    client: openai.OpenAI, options: dict[str, Any], param: str | None, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **{"stream": stream, **options})
    error = caught.value
    assert error.type == "invalid_request_error"
    assert error.param == param
    assert isinstance(error.body, dict)
    assert error.body["message"]


def test_a_context_overflow_has_openais_code(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, max_tokens=CONTEXT)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/a.png",
        "file:///etc/passwd",
        "ftp://example.org/a.png",
        "//example.org/a.png",
        "data:text/plain;base64,aGVsbG8=",
        "data:image/png;base64,aGVsbG8=",
        "data:image/png;base64,@@@",
        data_url(png(1)[:300]),
        data_url(blank(2000, 1000)),
    ],
)
def test_what_is_no_image_or_elsewhere_is_refused(client: openai.OpenAI, url: str) -> None:
    message = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, message)
    assert caught.value.code in ("invalid_image", "image_url_not_allowed")


def test_harmless_parameters_are_taken(client: openai.OpenAI) -> None:
    said = text_of(ask(client, seed=3))
    more: dict[str, Any] = {
        "user": "ann",
        "store": False,
        "metadata": {"a": "b"},
        "service_tier": "auto",
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "response_format": {"type": "text"},
        "logit_bias": {},
        "stop": None,
        "tools": [],
        "parallel_tool_calls": True,
    }
    assert text_of(ask(client, seed=3, **more)) == said


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model="gpt-9")
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


async def test_too_many_requests_are_told_when_to_come_back(async_client: openai.AsyncOpenAI, server: str) -> None:
    long: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 300, "n": 12, "stop": []}
    running = [asyncio.ensure_future(async_client.chat.completions.create(**long)) for _ in range(2)]
    try:
        await until(lambda: _samples(server) > 12)  # both have arrived
        with pytest.raises(openai.RateLimitError) as caught:
            await async_client.chat.completions.create(**long)
        assert int(caught.value.response.headers["retry-after"]) >= 1
        assert caught.value.code == "rate_limit_exceeded"
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    await until(lambda: _samples(server) == 0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_frees_the_model(server: str, stream: bool) -> None:
    body = {"model": MODEL, "messages": HELLO, "max_tokens": 450, "n": 12, "stream": stream}
    before = _metric(server, "engine_completion_tokens_total")
    async with httpx.AsyncClient() as http:
        request = http.build_request("POST", f"{server}/v1/chat/completions", json=body)
        sending = asyncio.ensure_future(http.send(request, stream=True))
        await until(lambda: _samples(server) > 0)
        if stream:
            await (await sending).aclose()
        else:
            sending.cancel()
    await until(lambda: _samples(server) == 0)
    assert _metric(server, "engine_completion_tokens_total") - before < 450 * 12


def _metric(server: str, name: str) -> float:
    lines = httpx.get(f"{server}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def _samples(server: str) -> float:
    return _metric(server, "engine_samples_running") + _metric(server, "engine_samples_waiting")
