"""A scripted OpenAI-compatible server, with the policy's API beside it: what a client may meet, on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.models import overconfident, prompt_text

Reply = str | int | None
"""A text to reply with, an HTTP status to fail with, or None never to reply."""


class ScriptedServer:
    """Answers chat completions by a script and counts what it was asked.

    Args:
        script: The prompt's text -> what to do.
        delay_s: How long each reply takes.
        policy: Policy version that /v1/cgp claims to be.
    """

    def __init__(
        self, script: Callable[[str], Reply] = overconfident, *, delay_s: float = 0.0, policy: str = "policy-1"
    ) -> None:
        self.script = script
        self.delay_s = delay_s
        self.policy = policy
        self.prompts: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.shown: set[tuple[str, str | None]] = set()
        """Paths that were asked, and what was sent as Authorization."""
        self.in_flight = 0
        self.most_in_flight = 0
        self.app = Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/cgp", self._guide, methods=["POST"]),
            ]
        )

    def _note(self, request: Request) -> None:
        self.shown.add((request.url.path, request.headers.get("Authorization")))

    async def _models(self, request: Request) -> Response:
        self._note(request)
        return JSONResponse({"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    async def _complete(self, request: Request) -> Response:
        self._note(request)
        body = await request.json()
        prompt = prompt_text(body["messages"])
        self.prompts.append(prompt)
        self.bodies.append(body)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.delay_s)
            reply = self.script(prompt)
            if reply is None:
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                return Response()  # nobody is there any more
            if isinstance(reply, int):
                return JSONResponse({"error": {"message": "scripted", "type": "server_error"}}, status_code=reply)
        finally:
            self.in_flight -= 1
        message = {"role": "assistant", "content": reply}
        choices = [{"index": i, "message": message, "finish_reason": "stop"} for i in range(body.get("n", 1))]
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        return JSONResponse({"id": "x", "object": "chat.completion", "choices": choices, "usage": usage})

    async def _guide(self, request: Request) -> Response:
        self._note(request)
        body = await request.json()
        text = f"Weigh the edges in: {body['question']}"
        prompts = [{"text": text, "finish_reason": "stop"}]
        return JSONResponse({"id": "g", "version": body.get("version") or self.policy, "prompts": prompts})
