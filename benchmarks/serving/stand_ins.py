"""A policy and a downstream model that reply at once: small real HTTP servers, so that what waits is not the models."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

from benchmarks.serving.processes import wait_for


@dataclass
class Received:
    """The last request to the downstream model.

    Attributes:
        body: The request's body.
    """

    body: bytes = b""

    def picture_bytes(self) -> int:
        """Bytes of the picture's file in it; 0 if there was none."""
        urls = [part["image_url"]["url"] for message in json.loads(self.body)["messages"]
                for part in message["content"] if isinstance(part, dict) and part["type"] == "image_url"]  # fmt: skip
        return len(base64.b64decode(urls[-1].partition(",")[2])) if urls else 0


@contextmanager
def models_that_reply_at_once(port: int) -> Iterator[Received]:
    """Serve both, in a thread of this process, for the length of a block."""
    app = FastAPI()
    received = Received()

    @app.get("/version")
    async def live() -> dict[str, Any]:
        return {"service": "policy", "policy": {"active": "policy-1"}}

    @app.post("/v1/cgp")
    async def guide(request: Request) -> dict[str, Any]:
        await request.body()
        return {"id": "1", "version": "policy-1", "prompts": [{"text": "Weigh the border.", "finish_reason": "stop"}]}

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> dict[str, Any]:
        received.body = await request.body()
        message = {"role": "assistant", "content": "The answer is B with confidence 95."}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return {"id": "1", "object": "chat.completion", "choices": choices}

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(f"http://127.0.0.1:{port}/openapi.json")
        yield received
    finally:
        server.should_exit = True
        thread.join(10)


def settings_for(port: int, folder: Path, records: str) -> dict[str, str]:
    """Write the settings of a gateway that asks these models.

    Args:
        port: Where they listen.
        folder: Where its registry goes.
        records: Address of its records' database.
    """
    return {
        "POLICY_URL": f"http://127.0.0.1:{port}",
        "DOWNSTREAM_URL": f"http://127.0.0.1:{port}/v1",
        "REGISTRY": str(folder / "registry"),
        "RECORDS_URL": records,
        "RECORD_HASH_SECRET": secrets.token_hex(32),
        "METHODS": '["cgp"]',
        "WARM_PREFIX": "never",  # they keep nothing that they have read
    }
