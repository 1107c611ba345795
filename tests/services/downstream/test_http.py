"""Everything beside the official client: health, bounds, envelopes, image hosts, a model that is missing."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from prompt4trust.models import Sampling
from prompt4trust.prompts import answer_messages, load_template, response_format
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.common.engine.transformers_engine import TransformersEngine
from services.downstream.app import downstream_app
from services.downstream.engine_loader import load_engine
from services.downstream.settings import DownstreamSettings
from tests.services.common.engine.tiny import png
from tests.services.downstream.conftest import MODEL
from tests.support.servers import running
from tests.support.waiting import wait_until


def chat(url: str, **body: object) -> httpx.Response:
    wanted = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, **body}
    return httpx.post(f"{url}/v1/chat/completions", json=wanted, timeout=60)


def see(address: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": address}}]}]


def test_health_version_and_metrics(server: str) -> None:
    assert httpx.get(f"{server}/health").status_code == 200
    assert httpx.get(f"{server}/health/live").status_code == 200
    assert httpx.get(f"{server}/health/ready").json()["dependencies"]["model"]["ok"] is True
    assert httpx.get(f"{server}/version").json()["model"] == MODEL
    chat(server)
    metrics = httpx.get(f"{server}/metrics").text
    assert "engine_completion_tokens_total" in metrics
    assert 'route="/v1/chat/completions"' in metrics


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"\xff\xfe", 400),
        (b'{"model": "\\ud800"}', 400),
        (b'{"model": "x"}', 400),
        (b"[" * 40_000, 400),
        (b"[" * 100_000, 413),
        (b'{"messages": [{"role": "user", "content": [' + b"{}," * 60_000 + b"{}]}]}", 413),
        (b" " * 500_000, 413),
    ],
)
def test_a_body_that_is_no_request_is_refused_in_openais_envelope(server: str, content: bytes, status: int) -> None:
    reply = httpx.post(f"{server}/v1/chat/completions", content=content)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert reply.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nothing", 404), ("GET", "/v1/chat/completions", 405)]
)
def test_unknown_routes_of_v1_answer_in_openais_envelope_and_others_in_problem_documents(
    server: str, method: str, path: str, status: int
) -> None:
    reply = httpx.request(method, server + path)
    assert reply.status_code == status
    assert reply.json()["error"]["type"] == "invalid_request_error"
    other = httpx.get(f"{server}/nothing")
    assert other.headers["content-type"] == "application/problem+json"
    assert other.json()["detail"].endswith("; OpenAI's begin with /v1.")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"n": "2"}, "n"),
        ({"n": True}, "n"),
        ({"temperature": "1"}, "temperature"),
        ({"seed": 1.5}, "seed"),
        ({"logprobs": 1}, "logprobs"),
        ({"stream": "false"}, "stream"),
        ({"frequency_penalty": False}, "frequency_penalty"),
        ({"tools": {}}, "tools"),
    ],
)
def test_a_value_of_another_type_stands_for_none(server: str, changes: dict[str, Any], param: str) -> None:
    reply = chat(server, **changes)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param


def test_values_that_ask_for_nothing_are_taken(server: str) -> None:
    nothing = {"frequency_penalty": 0.0, "presence_penalty": 0, "tools": [], "response_format": {"type": "text"}}
    assert chat(server, **nothing, tool_choice=None, logit_bias={}).status_code == 200


def test_a_client_that_sends_a_byte_and_waits_is_let_go(model_path: Path) -> None:
    settings = DownstreamSettings(model_path=str(model_path), body_timeout_s=0.3, device="cpu")
    with running(downstream_app(settings)) as url, socket.create_connection(_address(url), timeout=20) as line:
        line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        received = b""
        while piece := line.recv(4096):
            received += piece
        assert received.startswith(b"HTTP/1.1 408")
        assert json.loads(received.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"


def test_a_model_that_cannot_be_loaded_is_told_and_the_process_lives(tmp_path: Path) -> None:
    settings = DownstreamSettings(model_path=str(tmp_path), model=MODEL, device="cpu")
    with running(downstream_app(settings)) as url:
        wait_until(lambda: "cannot be loaded" in httpx.get(f"{url}/health/ready").text)
        assert httpx.get(f"{url}/health/live").status_code == 200
        assert httpx.get(f"{url}/health").status_code == 503
        reply = chat(url)
        assert reply.status_code == 503
        assert int(reply.headers["retry-after"]) >= 1
        assert reply.json()["error"]["code"] == "model_unavailable"
        assert str(tmp_path) not in reply.text + httpx.get(f"{url}/health/ready").text


def test_an_engine_that_has_ended_leaves_the_process_neither_ready_nor_alive(settings: DownstreamSettings) -> None:
    loaded: list[TransformersEngine] = []

    async def load(chosen: DownstreamSettings) -> TransformersEngine:
        engine = await load_engine(chosen)
        assert isinstance(engine, TransformersEngine)
        loaded.append(engine)
        return engine

    with running(downstream_app(settings, load=load)) as url:
        assert httpx.get(f"{url}/health/live").status_code == 200  # while it loads, too
        wait_until(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        loaded[0]._scheduler.stop()  # type: ignore[union-attr]
        for path in ("live", "ready"):
            assert httpx.get(f"{url}/health/{path}").status_code == 503


def test_a_deadline_is_kept(model_path: Path) -> None:
    settings = DownstreamSettings(model_path=str(model_path), model=MODEL, deadline_s=0.05, device="cpu")
    with running(downstream_app(settings)) as url:
        wait_until(lambda: httpx.get(f"{url}/health").status_code == 200)
        reply = chat(url, n=32, max_tokens=400)
        assert reply.status_code == 504
        assert reply.json()["error"]["code"] == "deadline_exceeded"
        streamed = chat(url, n=32, max_tokens=400, stream=True)
        last = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")][-1]
        assert last["error"]["code"] == "deadline_exceeded"


def picture_host() -> FastAPI:
    app = FastAPI()

    @app.get("/good.png")
    async def good() -> Response:
        return Response(png(1), media_type="image/png")

    @app.get("/elsewhere.png")
    async def elsewhere() -> Response:
        return Response(status_code=302, headers={"Location": "/good.png"})

    @app.get("/large.png")
    async def large() -> Response:
        return Response(b"x" * 2_000_000)

    @app.get("/slow.png")
    async def slow(request: Request) -> Response:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return Response(b"")

    return app


def test_only_named_hosts_are_asked_for_images_and_no_redirect_is_followed(model_path: Path) -> None:
    settings = DownstreamSettings(
        model_path=str(model_path),
        model=MODEL,
        image_hosts=frozenset({"127.0.0.1"}),
        image_timeout_s=1.0,
        max_image_bytes=1_000_000,
        device="cpu",
    )
    with running(picture_host()) as pictures, running(downstream_app(settings)) as url:
        wait_until(lambda: httpx.get(f"{url}/health").status_code == 200)
        assert chat(url, messages=see(f"{pictures}/good.png")).status_code == 200
        port = _address(pictures)[1]
        for address in (
            f"{pictures}/elsewhere.png",
            f"{pictures}/large.png",
            f"{pictures}/slow.png",
            f"{pictures}/missing.png",
            f"http://localhost:{port}/good.png",
            f"http://127.0.0.1@localhost:{port}/good.png",
            f"http://user@127.0.0.1:{port}/good.png",
            "http://[::1",
        ):
            reply = chat(url, messages=see(address))
            assert reply.status_code == 400, address
            assert reply.json()["error"]["param"] == "messages"


@pytest.mark.parametrize("host", ["http://a", "a:80", "*", "", "a/b"])
def test_an_image_host_is_a_name(host: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        DownstreamSettings(image_hosts=frozenset({host}))


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


async def test_a_template_that_asks_for_json_is_answered_in_its_form(server: str) -> None:
    template = load_template("answer-json@1")
    options = {"A": "Left", "B": "Right"}
    sampling = Sampling(max_tokens=90, response_format=response_format(template, options))
    async with HttpPool(f"{server}/v1") as http:
        messages = answer_messages(template, "Which side?", options)
        found = await DownstreamClient(http, MODEL, RetrySettings()).complete(messages, sampling)
    assert found.without == frozenset()
    assert re.match(r'\{\s*"answer"\s*:\s*"[AB]"', found.completions[0].text)
