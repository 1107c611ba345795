"""A policy and a downstream model over real HTTP that behave, or misbehave, as a test tells them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

VERDICT = "Finding: Oval. In conclusion, the answer is B with confidence 95."


@dataclass
class Upstream:
    """Stand-ins for the models, and the requests that they saw.

    Attributes:
        text: What the downstream model writes.
        guidance: What the policy writes.
        more: Further fields of the downstream model's reply.
        downstream: "reply", "no-choices", "null", "not-json", "not-an-object", an HTTP status, "hang", or "held" (it
            replies once `release` is set).
        fails_from: Number of the chat request, from 0, from which on the downstream model replies 500; None never.
        hangs_from: Number of the chat request from which on it does not reply; None never.
        tokens: The text's tokens, each reported to be certain where log-probabilities are asked for.
        policy: "reply", an HTTP status, "hang" or "not-json".
        version: The policy version that writes guidance.
        asked: Bodies of chat completions, oldest first.
        guided: Bodies of guidance requests.
        hung_up: Set when a caller left a request that hangs.
        release: Lets held replies go.
    """

    text: str = VERDICT
    guidance: str = "Weigh the border."
    more: dict[str, Any] = field(default_factory=dict)
    downstream: str | int = "reply"
    fails_from: int | None = None
    hangs_from: int | None = None
    tokens: tuple[str, ...] = ()
    policy: str | int = "reply"
    version: str = "policy-1"
    asked: list[dict[str, Any]] = field(default_factory=list)
    guided: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def reset(self) -> None:
        """Behave well again and forget."""
        fresh = Upstream()
        for name in (
            *("text", "guidance", "more", "downstream", "fails_from", "hangs_from", "tokens"),
            *("policy", "version", "asked", "guided", "headers"),
        ):
            setattr(self, name, getattr(fresh, name))
        self.hung_up.clear()
        self.release.clear()
        while self.arrived.acquire(blocking=False):
            pass

    def app(self) -> FastAPI:
        """The HTTP application of both models."""
        app = FastAPI()

        @app.get("/v1/models")
        async def models() -> dict[str, Any]:
            return {"object": "list", "data": [{"id": "model-1", "object": "model"}]}

        @app.get("/locked/v1/models")
        async def no_models() -> Response:
            return JSONResponse({"error": "no key", "data": [{"id": "of-others"}]}, status_code=401)

        @app.get("/health/ready")
        async def ready() -> dict[str, str]:
            return {"status": "ready"}

        @app.get("/version")
        async def live() -> Response:
            if self.policy != "reply":
                return JSONResponse({}, status_code=500)
            return JSONResponse({"service": "policy", "policy": {"active": self.version}})

        @app.post("/v1/chat/completions")
        async def complete(request: Request) -> Response:
            self.asked.append(await request.json())
            self.headers.append(dict(request.headers))
            choice: dict[str, Any] = {
                "index": 0,
                "message": {"role": "assistant", "content": self.text},
                "finish_reason": "stop",
            }
            if self.tokens and self.asked[-1].get("logprobs"):
                likely = [{"token": each, "logprob": -0.01, "top_logprobs": []} for each in self.tokens]
                choice["logprobs"] = {"content": [{**each, "top_logprobs": [each]} for each in likely]}
            choices = [{**choice, "index": index} for index in range(self.asked[-1].get("n", 1))]
            body: dict[str, Any] = {"id": "1", "object": "chat.completion", "choices": choices, **self.more}
            if self.downstream == "no-choices":
                body["choices"] = []
            if self.downstream == "null":
                choices[0]["message"] = {"role": "assistant", "content": None}
            failing = self.fails_from is not None and len(self.asked) > self.fails_from
            hanging = self.hangs_from is not None and len(self.asked) > self.hangs_from
            return await self._behave("hang" if hanging else 500 if failing else self.downstream, body, request)

        @app.post("/v1/cgp")
        async def guide(request: Request) -> Response:
            self.guided.append(await request.json())
            body = {
                "id": "1",
                "version": self.version,
                "prompts": [{"text": self.guidance, "finish_reason": "stop"}],
            }
            return await self._behave(self.policy, body, request)

        return app

    async def _behave(self, how: str | int, body: dict[str, Any], request: Request) -> Response:
        if isinstance(how, int):
            return JSONResponse({"error": {"message": "Traceback: secret-path /srv/model.py"}}, status_code=how)
        if how == "not-json":
            return PlainTextResponse("<html>Bad gateway at /srv/model.py</html>")
        if how == "not-an-object":
            return JSONResponse(["unexpected"])
        if how in ("hang", "held"):
            self.arrived.release()
        if how == "hang":
            while (await request.receive())["type"] != "http.disconnect":
                pass
            self.hung_up.set()
        if how == "held":
            import anyio

            await anyio.to_thread.run_sync(self.release.wait, 20)
        # In ASCII: escaped so, even half of a surrogate pair can be sent.
        return Response(json.dumps(body), media_type="application/json")
