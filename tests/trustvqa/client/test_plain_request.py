"""One question by Python's own HTTP client: what it sends, when it is no way to ask, and how it fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from tests.support.servers import free_port, running
from trustvqa.client.errors import (
    BusyGatewayError,
    DeadlineError,
    GatewayUnreachableError,
    NotAGatewayError,
    UnusablePictureError,
)
from trustvqa.client.plain_request import UnsentError, ask_once, is_plain
from trustvqa.client.questions import VqaQuestion

PICTURE = b"\x89PNG\r\n--pixels--\r\n\x00\xff"
KEY = "0123456789abcdef"
ANSWER = {"id": "1", "decision": "answer", "answer": {"letter": "B", "text": "Oval"}, "confidence": 0.7}


@pytest.fixture(scope="module")
def gateway() -> Iterator[tuple[str, dict[str, Any]]]:
    state: dict[str, Any] = {}
    app = FastAPI()

    @app.post("/below/vqa")
    async def vqa(request: Request) -> Response:
        async with request.form() as form:
            state["image"] = await form["image"].read()  # type: ignore[union-attr]
            state["form"] = {name: form.getlist(name) for name in form if name != "image"}
        state["headers"] = request.headers
        reply = state["reply"]
        return reply if isinstance(reply, Response) else JSONResponse(reply)

    with running(app) as url:
        yield f"{url}/below", state


def ask(url: str, within_s: float = 20.0, **asked: Any) -> Any:
    question = VqaQuestion(PICTURE, "Größe?", **asked)
    return ask_once(url, question, api_key="tvqa_x", idempotency_key=KEY, within_s=within_s)


def test_it_sends_what_the_client_sends(gateway: tuple[str, dict[str, Any]]) -> None:
    url, state = gateway
    state["reply"] = ANSWER
    result = ask(f"{url}/", options=["Rund", "Öl\r\n--"], max_risk=0.2, groups={"modality": "CT"}, window=(40.0, 400.0))
    assert (str(result.answer), result.raw["confidence"]) == ("B. Oval", 0.7)
    assert state["image"] == PICTURE
    assert state["form"] == {
        "question": ["Größe?"],
        "options": ["Rund", "Öl\r\n--"],
        "max_risk": ["0.2"],
        "groups": ['{"modality": "CT"}'],
        "window": ['{"center": 40.0, "width": 400.0}'],
    }
    told = state["headers"]
    shown = [told[name] for name in ("Authorization", "Idempotency-Key", "Prefer")]
    assert shown == ["Bearer tvqa_x", f'"{KEY}"', "wait=20"]


def test_a_refusal_is_the_gateways_own(gateway: tuple[str, dict[str, Any]]) -> None:
    url, state = gateway
    state["reply"] = JSONResponse({"detail": "later"}, status_code=503, headers={"Retry-After": "7"})
    with pytest.raises(BusyGatewayError, match="later") as caught:
        ask(url)
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    "reply",
    [Response(b"<html>", media_type="text/html"), [], {"id": "1"}, Response(b"[" * 100_000)],
    ids=["no-json", "no-object", "no-result", "too-deep"],
)
def test_what_no_gateway_says_is_named_so(gateway: tuple[str, dict[str, Any]], reply: Any) -> None:
    url, state = gateway
    state["reply"] = reply
    with pytest.raises(NotAGatewayError):
        ask(url)


def test_a_picture_that_cannot_be_sent_is_not(tmp_path: Path) -> None:
    question = VqaQuestion(tmp_path / "absent.png", "Which?")
    with pytest.raises(UnusablePictureError):
        ask_once(nowhere(), question, api_key=None, idempotency_key=KEY, within_s=1.0)


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


def test_nobody_there_is_told_from_a_connection_that_breaks() -> None:
    with pytest.raises(UnsentError, match="refused"):
        ask(nowhere())
    with raw_server(lambda peer: peer.close()) as url, pytest.raises(GatewayUnreachableError) as caught:
        ask(url)
    assert not isinstance(caught.value, UnsentError)


def test_a_gateway_that_is_silent_or_dribbles_is_given_up_in_time() -> None:
    def silent(peer: socket.socket) -> None:
        while peer.recv(65_536):
            pass

    def dribbling(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        ended = threading.Event()
        while not ended.wait(0.02):
            peer.sendall(b" ")  # ends the thread once nobody reads any more

    for behaviour in (silent, dribbling):
        with raw_server(behaviour) as url, pytest.raises(DeadlineError, match="no answer"):
            ask(url, within_s=0.3)


def test_a_reply_without_end_is_given_up() -> None:
    def endless(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(bytes(1_000_000))

    with raw_server(endless) as url, pytest.raises(NotAGatewayError, match="more than"):
        ask(url)


@contextmanager
def raw_server(behaviour: Callable[[socket.socket], None]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                try:
                    behaviour(peer)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("url", "environment", "plain"),
    [
        ("http://gateway:8080/below", {}, True),
        ("http://[::1]:8080", {"HTTPS_PROXY": "http://proxy"}, True),
        ("https://gateway", {}, False),
        ("http://gateway", {"http_proxy": "http://proxy"}, False),
        ("http://gateway", {"ALL_PROXY": "socks5://proxy"}, False),
        ("http://me:secret@gateway", {}, False),
        ("http://gateway:99999", {}, False),
        ("http://[::1", {}, False),
        ("http://gäteway", {}, False),
        ("http://", {}, False),
        ("gateway:8080", {}, False),
    ],
)
def test_what_is_a_plain_connection(url: str, environment: dict[str, str], plain: bool) -> None:
    assert is_plain(url, environment) is plain
