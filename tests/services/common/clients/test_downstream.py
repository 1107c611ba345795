"""The client of the downstream model against a real server that misbehaves as real ones do."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.responses import JSONResponse

from prompt4trust.models import Sampling, TransportError
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from tests.services.common.clients.scripted_server import MESSAGES, QUICK, Server, chat, choice


async def complete(server: Server, sampling: Sampling | None = None, **more: Any) -> Any:
    options = {key: more.pop(key) for key in ("vendor_parameters", "egress_hosts") if key in more}
    async with HttpPool(f"{server.url}/v1") as http:
        client = DownstreamClient(http, "m-1", QUICK, **options)
        return await client.complete(more.pop("messages", MESSAGES), sampling or Sampling(), **more)


async def test_a_completion_is_asked_for_in_openai_s_words(server: Server) -> None:
    server.replies = [chat(choice(1, "second"), choice(0, "first", finish_reason="length"))]
    sampling = Sampling(temperature=0.1, top_p=0.95, top_k=50, max_tokens=99, seed=7)
    generation = await complete(server, sampling, n=2, top_logprobs=3)
    assert server.bodies == [
        {
            "model": "m-1", "messages": MESSAGES, "n": 2, "temperature": 0.1, "top_p": 0.95, "top_k": 50,
            "max_tokens": 99, "seed": 7, "logprobs": True, "top_logprobs": 3,
        }
    ]  # fmt: skip
    assert [(made.text, made.finish_reason) for made in generation.completions] == [
        ("first", "length"),
        ("second", "stop"),
    ]
    cost = generation.cost
    assert (cost.calls, cost.prompt_tokens, cost.completion_tokens) == (1, 9, 4)
    assert cost.seconds > 0


async def test_a_strict_server_gets_openai_s_own_parameters_only(server: Server) -> None:
    server.replies = [chat(choice(0))]
    await complete(server, Sampling(top_k=50), vendor_parameters=False)
    assert set(server.bodies[0]) == {"model", "messages", "n", "temperature", "top_p", "max_tokens"}


async def test_log_probabilities_come_by_token(server: Server) -> None:
    likely = [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -2}]
    tokens = [
        {"token": "A", "logprob": -0.1, "top_logprobs": likely},
        {"token": ".", "logprob": 0, "top_logprobs": []},
    ]
    server.replies = [chat(choice(0, logprobs={"content": tokens}))]
    generation = await complete(server, top_logprobs=2)
    assert generation.completions[0].top_logprobs == [{"A": -0.1, "B": -2.0}, {".": 0.0}]


async def test_a_completion_without_text_is_empty(server: Server) -> None:
    server.replies = [chat(choice(0, None))]
    assert (await complete(server)).completions[0].text == ""


async def test_a_request_that_the_server_gave_up_is_not_an_answer(server: Server) -> None:
    server.replies = [chat(choice(0, "the answer is"), choice(1, "the ans", finish_reason="abort"))]
    async with HttpPool(server.url) as http:
        with pytest.raises(TransportError) as caught:
            await DownstreamClient(http, "eye", QUICK).complete(MESSAGES, Sampling(), n=2)
    assert caught.value.status == 503


@pytest.mark.parametrize(
    "reply",
    [
        {"choices": []},
        {"choices": None},
        {"choices": [{}]},
        {"choices": ["text"]},
        {"choices": [{"index": 0, "message": None}]},
        {"choices": [choice(0), choice(1)]},
        {"object": "chat.completion"},
    ],
)
async def test_a_reply_without_usable_choices_is_a_transport_error(server: Server, reply: dict[str, Any]) -> None:
    server.replies = [JSONResponse(reply)]
    with pytest.raises(TransportError) as caught:
        await complete(server)
    assert caught.value.status == 200


async def test_of_a_content_of_parts_the_text_is_the_reply(server: Server) -> None:
    parts = [
        {"type": "thinking", "thinking": "The answer is A."},
        {"type": "text", "text": "The answer is B "},
        {"type": "text", "text": "with confidence 85."},
    ]
    server.replies = [chat({"index": 0, "message": {"role": "assistant", "content": parts}, "finish_reason": "stop"})]
    generation = await complete(server)
    assert [made.text for made in generation.completions] == ["The answer is B with confidence 85."]
