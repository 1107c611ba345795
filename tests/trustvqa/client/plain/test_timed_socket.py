"""Connections whose every wait ends in time, however many there are: look-ups of names, addresses, receiving."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.servers import free_port
from trustvqa.client.plain.timed_socket import TimedSocket, connected

PROMPTLY_S = 3.0


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def resolve_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Have the name `ward` stand for several addresses."""

    def found(host: str, port: int, *, flags: int = 0, **_: Any) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "a name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", each)) for each in ports]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def connect(host: str, port: int, connect_s: float, whole_s: float = 20.0) -> TimedSocket:
    return connected(host, port, connect_s=connect_s, ends_at=time.monotonic() + whole_s)


def test_many_short_waits_end_as_one(server: socket.socket) -> None:
    with connect("127.0.0.1", server.getsockname()[1], 20.0, 0.3) as sock, server.accept()[0] as peer:
        buffer = bytearray(1)
        for _ in range(3):
            peer.sendall(b"x")
            assert sock.recv_into(buffer) == 1
        with pytest.raises(TimeoutError):
            sock.recv_into(buffer)
        peer.sendall(b"xx")
        for _ in range(2):  # although there is something
            with pytest.raises(TimeoutError):
                sock.recv_into(buffer)
        with pytest.raises(TimeoutError):
            sock.sendall(b"x")


def test_a_name_is_given_up_that_is_looked_up_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def found(host: str, port: int, *, flags: int = 0, **_: Any) -> list[Any]:
        if not flags & socket.AI_NUMERICHOST:
            ended.wait(20)
        raise socket.gaierror(socket.EAI_NONAME, "a name")

    monkeypatch.setattr(socket, "getaddrinfo", found)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        connect("ward", 80, 0.1)
    assert time.monotonic() - began < PROMPTLY_S
    ended.set()
    with pytest.raises(socket.gaierror, match="a name"):
        connect("ward", 80, 20.0)


def test_the_next_address_is_tried_and_all_refusals_are_one(
    monkeypatch: pytest.MonkeyPatch, server: socket.socket
) -> None:
    resolve_to(monkeypatch, free_port(), server.getsockname()[1])
    with connect("ward", 80, 20.0) as sock:
        assert sock.getpeername() == server.getsockname()
    resolve_to(monkeypatch, free_port(), free_port())
    with pytest.raises(ConnectionRefusedError):
        connect("ward", 80, 20.0)
    resolve_to(monkeypatch)
    with pytest.raises(OSError, match="no address"):
        connect("ward", 80, 20.0)


def test_addresses_that_never_reply_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def silent(sock: TimedSocket, address: Any) -> None:
        sock._keep_time()
        waited.append(sock.gettimeout() or 0.0)
        raise TimeoutError

    monkeypatch.setattr(TimedSocket, "connect", silent)
    resolve_to(monkeypatch, *range(1, 100))
    with pytest.raises(TimeoutError):
        connect("ward", 80, 8.0)
    assert len(waited) == 8
    assert waited[0] == pytest.approx(1.0, abs=0.1)
    assert all(each <= 8.0 / left for each, left in zip(waited, range(8, 0, -1), strict=True))
