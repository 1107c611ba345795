"""A downstream service that answers after a fixed time, however many ask: python -m benchmarks.trainer.delayed PORT S.

It stands for a server on the network with room for all, so that what is measured is the asking.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.engine.servers import Contender


def delayed(delay_s: float) -> Contender:
    """Describe such a server.

    Args:
        delay_s: How long each reply takes.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    argv = [sys.executable, "-m", "benchmarks.trainer.delayed", str(port), str(delay_s)]
    return Contender("delayed server", argv, port, "bench")


def application(delay_s: float) -> Starlette:
    """Make the server."""

    async def health(_: Request) -> Response:
        return Response()

    async def complete(request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(delay_s)
        # Another prompt, another reply: rewards that were mixed up would show.
        draw = hashlib.sha256(body).digest()
        text = f"The answer is {'ABCD'[draw[0] % 4]} with confidence {draw[1] % 100}."
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return JSONResponse({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    return Starlette(
        routes=[Route("/health", health), Route("/v1/chat/completions", complete, methods=["POST"])],
    )


if __name__ == "__main__":
    uvicorn.run(application(float(sys.argv[2])), port=int(sys.argv[1]), log_level="warning")
