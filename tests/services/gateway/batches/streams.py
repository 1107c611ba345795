"""Batches as a client sends them: lines while answers are read, over a real connection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import httpx

from tests.services.gateway.checks import body

NDJSON = {"Content-Type": "application/x-ndjson"}


def line(line_id: str | None, **changes: Any) -> bytes:
    """A line that asks the question of all tests."""
    asked = body(**changes) | ({} if line_id is None else {"id": line_id})
    return json.dumps(asked).encode() + b"\n"


def send(
    client: httpx.Client, lines: Iterable[bytes], key: str | None = None, **headers: str
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Send a small batch whole; give the replies by id (or line number), and the summary."""
    given = NDJSON | headers | ({} if key is None else {"Idempotency-Key": key})
    reply = client.post("/vqa/batch", content=b"".join(lines), headers=given)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/x-ndjson"
    *told, end = map(json.loads, reply.text.splitlines())
    assert set(end) == {"summary"}
    return {each["id"] or f"line {each['line']}": each for each in told}, end["summary"]


async def stream(url: str, lines: AsyncIterator[bytes], **headers: str) -> AsyncIterator[dict[str, Any]]:
    """Send lines while answers are read; give each as it comes, the summary last."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/vqa/batch", data=lines, headers=NDJSON | headers) as reply,
    ):
        assert reply.status == 200, await reply.text()
        async for told in reply.content:
            yield json.loads(told)
