"""The requests: phantoms with their questions, each sent once."""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.engine.servers import Contender
from prompt4trust.datasets.phantoms import render, sample_question, sample_scene
from prompt4trust.prompts import Message, answer_messages, load_template
from prompt4trust.questions import letter_options

TEMPLATE = "answer-compact@1"


@dataclass(frozen=True, slots=True)
class Run:
    """How long a number of requests took.

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


def prompts(count: int, seed: int) -> list[list[Message]]:
    """Make requests that no server has seen, so that none profits from a cache.

    Args:
        count: How many.
        seed: Another seed, other pictures.
    """
    template = load_template(TEMPLATE)
    made = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        scene = sample_scene(rng)
        question = sample_question(rng, scene)
        buffer = io.BytesIO()
        Image.fromarray(render(scene)).save(buffer, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        made.append(answer_messages(template, question.text, letter_options(question.options), image_url=url))
    return made


async def together(contender: Contender, messages: Sequence[list[Message]], max_tokens: int) -> Run:
    """Send all requests at once."""
    async with _client(contender, len(messages)) as http:
        requests = await _ready(contender, http, messages, max_tokens, connections=len(messages))
        began = time.perf_counter()
        replies = await asyncio.gather(*(http.send(request) for request in requests))
        return _run(replies, time.perf_counter() - began)


async def one_by_one(contender: Contender, messages: Sequence[list[Message]], max_tokens: int) -> Run:
    """Send each request when the one before it is answered."""
    async with _client(contender, 1) as http:
        requests = await _ready(contender, http, messages, max_tokens, connections=1)
        began = time.perf_counter()
        replies = [await http.send(request) for request in requests]
        return _run(replies, time.perf_counter() - began)


def _client(contender: Contender, connections: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections)
    return httpx.AsyncClient(base_url=contender.url, timeout=120, limits=limits, trust_env=False)


async def _ready(
    contender: Contender, http: httpx.AsyncClient, messages: Sequence[list[Message]], max_tokens: int, connections: int
) -> list[httpx.Request]:
    """Do what the clock should not see: the client shares the cores with the server, and its work is not measured.

    Connections are open before the first request, as those of a service's client are.
    """
    await asyncio.gather(*(http.get(f"http://127.0.0.1:{contender.port}/health") for _ in range(connections)))
    common = {"model": contender.model, "max_tokens": max_tokens, "temperature": 0}
    return [http.build_request("POST", "/chat/completions", json={**common, "messages": each}) for each in messages]


def _run(responses: Sequence[httpx.Response], seconds: float) -> Run:
    replies: list[dict[str, Any]] = [response.raise_for_status().json() for response in responses]
    texts = tuple(reply["choices"][0]["message"]["content"] for reply in replies)
    return Run(len(replies), sum(reply["usage"]["completion_tokens"] for reply in replies), seconds, texts)
