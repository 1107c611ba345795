"""The client of the policy service against a real server."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.responses import JSONResponse

from prompt4trust.models import Guidance, TransportError
from services.common.clients.http_pool import HttpPool
from services.common.clients.policy import PolicyClient
from tests.services.common.clients.scripted_server import QUICK, Server


async def guide(server: Server, **more: Any) -> Guidance:
    async with HttpPool(server.url) as http:
        client = PolicyClient(http, QUICK, version=more.pop("version", None))
        return await client.guide("Which?", {"A": "x", "B": "y"}, **more)


async def test_guidance_is_read_with_its_version_and_cost(server: Server) -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 8}
    server.replies = [JSONResponse({"version": "p-1", "prompts": [{"text": "Look."}], "usage": usage})]
    found = await guide(server)
    assert (found.text, found.version) == ("Look.", "p-1")
    assert (found.cost.calls, found.cost.prompt_tokens, found.cost.completion_tokens) == (1, 20, 8)
    await guide(server, version="p-2", seed=5)
    plain = {"question": "Which?", "options": {"A": "x", "B": "y"}}
    assert server.bodies == [plain, {**plain, "version": "p-2", "temperature": 1.0, "seed": 5}]


@pytest.mark.parametrize(
    "reply",
    [{}, {"version": "p-1"}, {"version": "p-1", "prompts": []}, {"version": "p-1", "prompts": [None]},
     {"prompts": [{"text": "Look."}]}, {"version": "p-1", "prompts": [{"text": "Look."}], "usage": [1]}],
)  # fmt: skip
async def test_a_reply_without_guidance_is_a_transport_error(server: Server, reply: dict[str, Any]) -> None:
    server.replies = [JSONResponse(reply)]
    with pytest.raises(TransportError, match="guidance") as caught:
        await guide(server)
    assert caught.value.service == "policy"
