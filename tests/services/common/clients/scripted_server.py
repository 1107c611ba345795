"""A server that misbehaves as real ones do, and calls to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import JSONResponse, Response

from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.common.clients.transport import post_json

QUICK = RetrySettings(deadline_s=5.0, attempts=3, wait_initial_s=0.01, wait_max_s=0.05)
MESSAGES = [{"role": "user", "content": "Hello"}]


class Hang(Response):
    """Stands for a reply that never comes."""


@dataclass
class Server:
    """Gives the replies that it is told to, the last one again and again."""

    url: str = ""
    replies: list[Response] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


def choice(index: int, text: str | None = "Hi", **more: Any) -> dict[str, Any]:
    return {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}


def chat(*choices: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"choices": list(choices), "usage": {"prompt_tokens": 9, "completion_tokens": 4}})


def status(code: int, **headers: str) -> JSONResponse:
    return JSONResponse({"error": "hunter2"}, status_code=code, headers=headers)


async def post(server: Server, retry: RetrySettings = QUICK) -> dict[str, Any]:
    async with HttpPool(server.url) as http:
        return await post_json(http, "policy", "v1/things", {"a": 1}, retry)
