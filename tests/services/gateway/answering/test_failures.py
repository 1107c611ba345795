"""Models that fail, clients that leave or dawdle, and more work than there is room for."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from tests.services.gateway.checks import assert_problem, assert_unharmed, body
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.upstream import Upstream
from tests.support.waiting import wait_until


def post(url: str) -> httpx.Response:
    return httpx.post(f"{url}/vqa", json=body(), timeout=30)


@pytest.mark.parametrize(
    ("how", "status", "kind"),
    [
        (500, 502, "downstream-failed"),
        (400, 502, "downstream-failed"),
        (401, 502, "downstream-failed"),
        (404, 502, "downstream-failed"),
        ("no-choices", 502, "downstream-failed"),
        ("not-json", 502, "downstream-failed"),
        ("not-an-object", 502, "downstream-failed"),
        (429, 503, "downstream-busy"),
        (503, 503, "downstream-busy"),
    ],
)
def test_a_downstream_model_that_fails(
    client: httpx.Client, upstream: Upstream, how: str | int, status: int, kind: str
) -> None:
    upstream.downstream = how
    response = client.post("/vqa", json=body())
    assert_problem(response, status, kind)
    assert ("retry-after" in response.headers) == (status == 503)
    upstream.downstream = "reply"
    assert_unharmed(client)


def test_a_downstream_model_that_is_not_there(make_gateway: MakeGateway, nowhere: str, upstream: Upstream) -> None:
    with make_gateway(downstream_url=f"{nowhere}/v1") as url:
        response = post(url)
        assert_problem(response, 503, "downstream-unavailable")
        assert int(response.headers["retry-after"]) >= 1
        ready = httpx.get(f"{url}/health/ready")
        assert ready.status_code == 503
        assert ready.json()["dependencies"]["downstream"]["ok"] is False
        assert httpx.get(f"{url}/health/live").status_code == 200


def test_a_downstream_model_that_never_answers(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    with make_gateway(downstream_deadline_s=2.0) as url:
        assert_problem(post(url), 504, "downstream-timeout")
        assert upstream.hung_up.wait(20)
        upstream.downstream = "reply"
        with httpx.Client(base_url=url, timeout=20) as client:
            assert_unharmed(client)


def test_the_gateways_own_deadline_ends_what_takes_too_long(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    with make_gateway(deadline_s=0.5) as url:
        assert_problem(post(url), 504, "deadline-exceeded")
        assert upstream.hung_up.wait(20)


def test_a_picture_is_not_sent_to_a_host_that_was_not_named(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(downstream_url="http://models.example.org/v1") as url:
        assert_problem(post(url), 503, "image-egress-off")


def raw_connection(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port or 80), timeout=20)


def request_head(length: int) -> bytes:
    return (
        f"POST /vqa HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def test_a_client_that_hangs_up_ends_the_work_for_it(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    # One place: were the work not ended, the next question would find it taken.
    with make_gateway(max_in_flight=1, max_waiting=0) as url:
        payload = json.dumps(body()).encode()
        with raw_connection(url) as connection:
            connection.sendall(request_head(len(payload)) + payload)
            assert upstream.arrived.acquire(timeout=20)
        assert upstream.hung_up.wait(20)
        upstream.downstream = "reply"
        wait_until(lambda: post(url).status_code == 200)
        assert "gateway_hangups_total 1.0" in httpx.get(f"{url}/metrics").text


def test_a_client_that_hangs_up_within_its_request(gateway_url: str, client: httpx.Client, upstream: Upstream) -> None:
    payload = json.dumps(body()).encode()
    for cut in (1, len(payload) // 2, len(payload) - 1):
        with raw_connection(gateway_url) as connection:
            connection.sendall(request_head(len(payload)) + payload[:cut])
    assert_unharmed(client)
    assert len(upstream.asked) == 1


def test_a_client_that_sends_a_byte_at_a_time(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(upload_deadline_s=2.0) as url, raw_connection(url) as connection:
        payload = json.dumps(body()).encode()
        connection.sendall(request_head(len(payload)))
        stop = threading.Event()

        def trickle() -> None:
            for byte in payload:
                if stop.wait(0.05):
                    return
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            # Others are served meanwhile.
            assert post(url).status_code == 200
            reply = b""
            while b"request-timeout" not in reply:
                received = connection.recv(4096)
                assert received, reply
                reply += received
            assert reply.startswith(b"HTTP/1.1 408 ")
        finally:
            stop.set()
            sender.join(20)
        assert post(url).status_code == 200


def test_no_more_bodies_are_received_at_once_than_there_is_room_for(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with make_gateway(max_uploads=1, max_waiting=0) as url:
        with raw_connection(url) as connection:
            connection.sendall(request_head(1_000) + b"{")
            wait_until(lambda: post(url).status_code == 503)
            assert_problem(post(url), 503, "busy")
            assert httpx.get(f"{url}/health/live").status_code == 200
        wait_until(lambda: post(url).status_code == 200)


def test_large_bodies_have_places_of_their_own(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(max_large_uploads=1, max_waiting=0) as url, raw_connection(url) as connection:
        connection.sendall(request_head(1_000_001) + b"{")
        large = body(image=base64.b64encode(picture() + b"\0" * 1_000_000).decode())

        def ask() -> int:
            return httpx.post(f"{url}/vqa", json=large, timeout=20).status_code

        wait_until(lambda: ask() == 503)
        assert post(url).status_code == 200


def test_one_clients_slow_uploads_make_room_for_others(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(max_uploads=8, max_waiting=8) as url, contextlib.ExitStack() as held:
        slow = [held.enter_context(raw_connection(url)) for _ in range(40)]
        for connection in slow:
            connection.sendall(request_head(1_000) + b"{")
        # Beyond those that hold a place or wait for one they are turned away.
        assert b"503" in slow[-1].recv(4096)
        other = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=other, base_url=url, timeout=20) as client:
            for _ in range(3):
                assert client.post("/vqa", json=body()).status_code == 200
        assert b"upload-too-slow" in slow[0].recv(4096)  # the one that had taken the longest


def test_more_questions_than_places_are_turned_away_and_told_when_to_return(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    upstream.downstream = "held"
    with make_gateway(max_in_flight=2, max_waiting=1, max_wait_s=20) as url, ThreadPoolExecutor(3) as pool:
        answered = [pool.submit(post, url) for _ in range(2)]
        for _ in range(2):
            assert upstream.arrived.acquire(timeout=20)
        answered.append(pool.submit(post, url))
        wait_until(lambda: "gateway_waiting 1.0" in httpx.get(f"{url}/metrics").text)
        refused = post(url)
        assert_problem(refused, 503, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        upstream.release.set()
        assert [response.result(30).status_code for response in answered] == [200, 200, 200]
        assert post(url).status_code == 200


def test_a_question_does_not_wait_for_ever(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.downstream = "held"
    with make_gateway(max_in_flight=1, max_waiting=5, max_wait_s=0.3) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, url)
        assert upstream.arrived.acquire(timeout=20)
        assert_problem(post(url), 503, "busy")
        upstream.release.set()
        assert first.result(30).status_code == 200


def test_many_at_once_each_get_their_own_answer(client: httpx.Client, gateway_url: str, upstream: Upstream) -> None:
    def one(number: int) -> bool:
        reply = httpx.post(
            f"{gateway_url}/vqa", json=body(options=[f"first {number}", f"second {number}"]), timeout=60
        ).json()
        return bool(reply["answer"]["text"] == f"second {number}")

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(64)))
    assert len({json.dumps(asked["messages"][-1]["content"][1]) for asked in upstream.asked}) == 64
