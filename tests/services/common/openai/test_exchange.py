"""Replies of OpenAI's routes are written as Starlette writes JSON, byte for byte."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import Request
from fastapi.responses import JSONResponse

from services.common.openai.exchange import whole_reply

LOGPROBS = {
    "content": [{"token": f"t\u00e9{n}\n", "logprob": -n / 7, "bytes": list(b"abc"), "top": []} for n in range(9)]
}
DOCUMENTS = [
    {"id": "chatcmpl-1", "choices": [{"index": 0, "logprobs": None, "message": {"content": "B, 62 \u2265 60"}}]},
    {"choices": [{"logprobs": LOGPROBS, "text": 'control \x00\x1f " \\ / \u2028 \U0001f600'}], "tiny": -4.9e-324},
    {"text": "NaN and Infinity are words here", "whole": 12345678901234567890, "yes": True},
]


async def written(document: dict[str, Any]) -> bytes:
    async def never() -> dict[str, Any]:
        return await disconnection

    async def work() -> dict[str, Any]:
        return document

    disconnection: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    reply = await whole_reply(Request({"type": "http"}, never), work())
    assert reply.headers["content-type"] == "application/json"
    return bytes(reply.body)


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_a_document_is_written_as_ever(document: dict[str, Any]) -> None:
    assert await written(document) == JSONResponse(document).body


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
async def test_what_json_does_not_hold_is_a_mistake_of_ours(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON compliant|surrogates not allowed"):
        await written({"logprob": value})
