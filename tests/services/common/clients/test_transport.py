"""JSON requests against a real server: replies that are none, keys and paths."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.models import TransportError
from prompt4trust.pictures import DataUrl
from services.common.clients import transport
from services.common.clients.http_pool import HttpPool
from services.common.clients.transport import post_json, request_json
from tests.services.common.clients.scripted_server import QUICK, Server, post
from tests.support.network.fault_proxy import FaultProxy
from tests.support.servers import free_port


@pytest.mark.parametrize("reply", [PlainTextResponse("Well, ..."), JSONResponse([1]), PlainTextResponse("")])
async def test_a_reply_that_is_no_json_object_is_a_transport_error(server: Server, reply: Response) -> None:
    server.replies = [reply]
    with pytest.raises(TransportError, match=r"not (JSON|a JSON object)") as caught:
        await post(server)
    assert (caught.value.status, len(server.bodies)) == (200, 1)


@pytest.mark.parametrize(
    ("error", "counts_as"),
    [
        ({"code": 429}, 429),
        ({"code": "503"}, 503),
        ({"code": 400.0}, 400),
        ({"code": None, "status": 429}, 429),
        ({"status_code": 429}, 429),
        ({"code": 200, "status": "overloaded", "status_code": 529}, 529),
        ({"code": "context_length_exceeded", "status": 422}, 422),
        ({"type": "invalid_request_error", "code": "context_length_exceeded"}, 400),
        ({"type": "invalid_request_error", "param": "seed", "code": None}, 400),
        ({"type": "invalid_request_error", "code": "invalid_api_key"}, 401),
        ({"code": "invalid_api_key"}, 401),
        ({"code": "content_filter"}, 400),
        ({"type": "authentication_error"}, 401),
        ({"type": "requests", "code": "rate_limit_exceeded"}, 429),
        ({"type": "rate_limit_error"}, 429),
        ({"type": "insufficient_quota"}, 429),
        ({"type": "server_error", "code": None}, 502),
        ({"code": True, "status": [400]}, 502),
        ({"message": "Oh"}, 502),
        ("Oh", 502),
    ],
)
async def test_an_error_under_status_200_counts_by_what_it_tells(server: Server, error: object, counts_as: int) -> None:
    server.replies = [JSONResponse({"error": error})]
    with pytest.raises(TransportError, match=f"which counts as {counts_as}$") as caught:
        await post(server, replace(QUICK, attempts=1))
    assert caught.value.status == counts_as


async def test_a_connection_that_is_reset_as_it_is_made_is_a_transport_error() -> None:
    """Where a proxy's service has just gone. Of some in a hundred the libraries below say AttributeError."""
    async with FaultProxy(f"http://127.0.0.1:{free_port()}") as proxy, HttpPool(proxy.url) as http:
        for _ in range(200):
            with pytest.raises(TransportError, match="the connection failed"):
                await post_json(http, "policy", "v1/cgp", {}, replace(QUICK, attempts=1))


async def test_the_pool_sends_its_key_and_keeps_the_base_path(server: Server) -> None:
    server.replies = [JSONResponse({})]
    async with HttpPool(f"{server.url}/v1", api_key="k-1") as http:
        await post_json(http, "downstream", "chat/completions", {}, QUICK)
    assert server.headers[0]["authorization"] == "Bearer k-1"


TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
PICTURES = st.builds(DataUrl.of, st.sampled_from(["image/png", "image/jpeg"]), st.binary(max_size=20))
BODIES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | PICTURES | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, BODIES, max_size=4))
def test_a_body_is_what_json_writes(body: dict[str, Any]) -> None:
    assert request_json(body) == json.dumps(body, separators=(",", ":")).encode()


def test_the_text_in_a_pictures_place_is_nobodys_to_know() -> None:
    assert len(transport._PICTURE.removeprefix("picture ")) == 32
