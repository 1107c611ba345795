"""One question by Python's own HTTP client: what it sends, when it is no way to ask, and how it fails."""

from __future__ import annotations

import http.client
import json
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
    ClientError,
    DeadlineError,
    GatewayUnreachableError,
    NotAGatewayError,
    UnusablePictureError,
)
from trustvqa.client.plain.request import UnsentError, ask_once, is_plain
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


def test_headers_that_dribble_are_given_up_in_time() -> None:
    def dribbling(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        ended = threading.Event()
        while not ended.wait(0.02):
            peer.sendall(b"x")

    with raw_server(dribbling) as url, pytest.raises(DeadlineError, match="no answer"):
        ask(url, within_s=0.3)


@pytest.mark.parametrize("framing", ["Content-Length: %d", "Connection: close", "Transfer-Encoding: chunked"])
def test_a_reply_is_whole_where_python_closes_it_with_its_last_byte(
    monkeypatch: pytest.MonkeyPatch, framing: str
) -> None:
    read1 = http.client.HTTPResponse.read1

    def closing(response: http.client.HTTPResponse, n: int = -1) -> bytes:
        part = read1(response, n)
        if response.length == 0:
            response.close()  # as versions of Python from 2024 on do
        return part

    monkeypatch.setattr(http.client.HTTPResponse, "read1", closing)
    body = json.dumps(ANSWER).encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    head = framing.replace("%d", str(len(body))).encode()
    reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\n%s\r\n\r\n%s" % (head, chunked if b"chunked" in head else body)
    with raw_server(lambda peer: peer.sendall(reply)) as url:
        assert ask(url).decision == "answer"


@pytest.mark.parametrize("head", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_reply_that_is_cut_short_is_a_connection_that_broke(head: bytes) -> None:
    reply = b"HTTP/1.1 200 OK\r\n" + head + b'\r\n\r\n3e8\r\n{"id": "1"'
    with raw_server(lambda peer: peer.sendall(reply)) as url, pytest.raises(GatewayUnreachableError, match="broke off"):
        ask(url)


@pytest.mark.parametrize(
    "said",
    [
        {"question": "Gr\udcf6\udcdfe?"},
        {"options": ["Rund", "\udcd6l"]},
        {"options": {"A": "Rund", "B": "\udcd6l"}},
        {"groups": {"ward": "\udce4"}},
        {"window": "\udce4"},
    ],
)
def test_bytes_that_are_no_text_are_not_sent(said: dict[str, Any]) -> None:
    question = VqaQuestion(**{"picture": PICTURE, "question": "Which?", **said})
    with pytest.raises(ClientError, match="no text"):
        ask_once(nowhere(), question, api_key=None, idempotency_key=KEY, within_s=1.0)


@pytest.mark.parametrize(
    "shown", [{"api_key": "tvqa_sec\nret"}, {"api_key": "tvqa_secr\u00e9t"}, {"idempotency_key": "sec\nret"}]
)
def test_what_cannot_stand_in_a_header_is_not_sent_nor_shown(shown: dict[str, Any]) -> None:
    keys = {"api_key": None, "idempotency_key": KEY, **shown}
    with pytest.raises(ClientError, match="visible ASCII") as caught:
        ask_once(nowhere(), VqaQuestion(PICTURE, "Which?"), within_s=1.0, **keys)
    assert "sec" not in str(caught.value)


def read_request(peer: socket.socket) -> None:
    """Read all of it: where something is left, closing is a reset that may overtake the reply."""
    asked = b""
    while not asked.endswith(b"--\r\n"):
        part = peer.recv(65_536)
        if not part:
            return
        asked += part


@contextmanager
def raw_server(behaviour: Callable[[socket.socket], None]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                try:
                    read_request(peer)
                    behaviour(peer)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://gateway:8080/below", True),
        ("http://[::1]", True),
        ("https://gateway", False),
        ("http://me:secret@gateway", False),
        ("http://gateway:99999", False),
        ("http://[::1", False),
        ("http://g\u00e4teway", False),
        ("http://a b:80", False),
        ("http://gateway/a b", False),
        ("http://", False),
        ("gateway:8080", False),
    ],
)
def test_what_is_a_plain_connection(monkeypatch: pytest.MonkeyPatch, url: str, plain: bool) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert is_plain(url) is plain
    monkeypatch.setenv("http_proxy", "http://proxy")
    monkeypatch.setenv("no_proxy", "elsewhere")
    assert not is_plain(url)
