"""The requests: phantoms with their questions, each sent once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.engine.servers import Contender
from benchmarks.phantoms import draw
from prompt4trust.prompts import Message, answer_messages, load_template
from prompt4trust.questions import letter_options

TEMPLATE = "answer-compact@1"


@dataclass(frozen=True, slots=True)
class Run:
    """Durations of a number of requests.

    Attributes:
        requests: How many.
        tokens: Completion tokens in all.
        seconds: From the first request to the last reply.
        texts: The replies, in the requests' order.
    """

    requests: int
    tokens: int
    seconds: float
    texts: tuple[str, ...]

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Length:
    """Bounds on the length of replies.

    Attributes:
        most: Tokens.
        never: Token that no reply may hold; None for any.
    """

    most: int
    never: int | None = None


def prompts(count: int, seed: int) -> list[list[Message]]:
    """Make requests that no server has seen, so that none profits from a cache.

    Args:
        count: How many.
        seed: Another seed, other pictures.
    """
    template = load_template(TEMPLATE)
    return [
        answer_messages(template, each.text, letter_options(each.options), image_url=each.data_url)
        for each in draw(count, seed)
    ]


async def together(contender: Contender, messages: Sequence[list[Message]], length: Length) -> Run:
    """Send all requests at once."""
    async with _connections(contender, len(messages)) as clients:
        requests = [_request(contender, client, each, length) for client, each in zip(clients, messages, strict=True)]
        began = time.perf_counter()
        replies = await asyncio.gather(*(c.send(request) for c, request in zip(clients, requests, strict=True)))
        return _run(replies, time.perf_counter() - began)


async def one_by_one(contender: Contender, messages: Sequence[list[Message]], length: Length) -> Run:
    """Send each request when the one before it is answered."""
    async with _connections(contender, 1) as (client,):
        requests = [_request(contender, client, each, length) for each in messages]
        began = time.perf_counter()
        replies = [await client.send(request) for request in requests]
        return _run(replies, time.perf_counter() - began)


# The client shares the cores with the server, and its work is not what is measured: requests are made, and connections
# are open, before the clock runs. A client for each connection, because httpx asks every idle connection of a pool
# whether it still lives before each request, which made sending 32 requests as dear as preparing their answers.


@asynccontextmanager
async def _connections(contender: Contender, count: int) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"base_url": contender.url, "timeout": 120, "verify": False, "trust_env": False}
        clients = [await stack.enter_async_context(httpx.AsyncClient(**options)) for _ in range(count)]
        await asyncio.gather(*(client.get(f"http://127.0.0.1:{contender.port}/health") for client in clients))
        yield clients


def _request(contender: Contender, client: httpx.AsyncClient, messages: list[Message], length: Length) -> httpx.Request:
    body: dict[str, Any] = {"model": contender.model, "messages": messages, "max_tokens": length.most, "temperature": 0}
    if length.never is not None:
        body["logit_bias"] = {str(length.never): -100}
    return client.build_request("POST", "/chat/completions", json=body)


def _run(responses: Sequence[httpx.Response], seconds: float) -> Run:
    replies: list[dict[str, Any]] = [response.raise_for_status().json() for response in responses]
    texts = tuple(reply["choices"][0]["message"]["content"] for reply in replies)
    return Run(len(replies), sum(reply["usage"]["completion_tokens"] for reply in replies), seconds, texts)
