"""A policy and a downstream model with a number of slots: python -m benchmarks.overload.stand_in PORT SLOTS SECONDS.

The policy replies at once. The model answers so many questions at once, the others wait, the first come first, as in an
engine without a bound on its line; a question whose client hangs up leaves. It answers what the question names.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

RIGHT = re.compile(rb"the right one is ([A-Z])")
_SPREAD = 0.3  # coefficient of variation of a time, about

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class StandIn:
    """Both models as an ASGI application.

    Args:
        slots: Questions that are answered at once; PUT /slots?N changes it.
        seconds: Mean time of an answer.
    """

    def __init__(self, slots: int, seconds: float) -> None:
        self.slots = slots
        self._mean = math.log(seconds) - _SPREAD**2 / 2
        self._random = random.Random(17)
        self._inside = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            for _ in range(2):
                await send({"type": (await receive())["type"] + ".complete"})
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        match scope["path"]:
            case "/v1/chat/completions":
                await self._answer(body, receive, send)
            case "/v1/cgp":
                prompts = [{"text": "Weigh the border.", "finish_reason": "stop"}]
                await _reply(send, {"id": "1", "version": "policy-1", "prompts": prompts})
            case "/slots":
                self.slots = int(scope["query_string"])
                self._fill()
                await _reply(send, {})
            case _:
                await _reply(send, {"data": [], "asked": self.asked})

    async def _answer(self, body: bytes, receive: Receive, send: Send) -> None:
        self.asked += 1
        work = asyncio.ensure_future(self._work())
        gone = asyncio.ensure_future(receive())
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not work.done():
            work.cancel()
            return
        found = RIGHT.search(body)
        letter = found[1].decode() if found else "A"
        text = f"The answer is {letter} with confidence 95."
        message = {"role": "assistant", "content": text}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        await _reply(send, {"id": "1", "object": "chat.completion", "choices": choices})

    async def _work(self) -> None:
        if self._inside >= self.slots or self._line:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._line.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._inside -= 1
                    self._fill()
                raise
        else:
            self._inside += 1
        try:
            await asyncio.sleep(self._random.lognormvariate(self._mean, _SPREAD))
        finally:
            self._inside -= 1
            self._fill()

    def _fill(self) -> None:
        while self._inside < self.slots and self._line:
            turn = self._line.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)


async def _reply(send: Send, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve on loopback until it is told to end: port, slots, seconds."""
    port, slots, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    uvicorn.run(StandIn(slots, seconds), port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
