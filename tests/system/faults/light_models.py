"""A policy and a downstream model that reply at once and always alike: real HTTP, for loads beyond the miniatures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.servers import running


class LightModels:
    """Both models at one address, under the names of the miniatures, so that the shipped calibrators are theirs.

    Args:
        address: The address.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def url(self, service: str) -> str:
        """Where the policy or the downstream service is."""
        return self._address


@contextmanager
def light_models() -> Iterator[LightModels]:
    """Serve both for the length of a block."""
    routes = [
        Route("/v1/cgp", _guide, methods=["POST"]),
        Route("/v1/chat/completions", _complete, methods=["POST"]),
        Route("/v1/models", _list),
        Route("/health/ready", _list),
    ]
    with running(Starlette(routes=routes)) as address:
        yield LightModels(address)


async def _list(_: Request) -> JSONResponse:
    return JSONResponse({"object": "list", "data": [{"id": "downstream-mini-1", "object": "model"}]})


async def _guide(request: Request) -> JSONResponse:
    number = _number(await request.body())
    prompt = {"text": f"Weigh mark {number % 10}.", "finish_reason": "stop"}
    return JSONResponse({"id": "1", "version": "policy-mini-grpo-1", "prompts": [prompt]})


async def _complete(request: Request) -> JSONResponse:
    messages = json.loads(await request.body())["messages"]
    number = _number(json.dumps(messages).encode())
    letter, stated = "AB"[number % 2], 40 + number % 60
    pieces = ["The answer is", f" {letter}", " with confidence", f" {stated}", "."]
    tokens = [{"token": piece, "logprob": -0.01 * (number % 40)} for piece in pieces]
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": "".join(pieces)},
        "finish_reason": "stop",
        "logprobs": {"content": [{**token, "top_logprobs": [token]} for token in tokens]},
    }
    usage = {"prompt_tokens": 9, "completion_tokens": 5}
    return JSONResponse({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage})


def _number(content: bytes) -> int:
    return int.from_bytes(hashlib.sha256(content).digest()[:4], "big")
