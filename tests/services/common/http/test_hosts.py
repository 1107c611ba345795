"""Host and Origin, as browsers and others send them to a service with and without keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx
import pytest
from fastapi import FastAPI

from services.common.http.hosts import HostCheck
from services.policy.settings import PolicySettings
from tests.services.common.http.test_connection import connect, problem_of, read_to_the_end
from tests.support.servers import running

EVERYWHERE = "0.0.0.0"  # noqa: S104


def asked(
    names: Iterable[str] | None, method: str = "GET", *, headers: Mapping[str, str], same_origin: bool = True
) -> int:
    inner = FastAPI()
    inner.api_route("/", methods=["GET", "POST"])(lambda: None)
    app = HostCheck(inner, names=None if names is None else frozenset(names), same_origin=same_origin)
    with httpx.Client(transport=_Direct(app), base_url="http://localhost:8080") as client:
        return client.request(method, "/", headers=dict(headers)).status_code


class _Direct(httpx.BaseTransport):
    """Calls an application in a real server for one request, with the Host as given."""

    def __init__(self, app: HostCheck) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with running(self._app) as url, httpx.Client(base_url=url) as client:
            return client.request(request.method, "/", headers=dict(request.headers))


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({}, "localhost:8080", 200),
        ({}, "127.0.0.1:8080", 200),
        ({}, "[::1]:8080", 200),
        ({}, "LOCALHOST", 200),
        ({}, "rebound.example:8080", 403),
        ({}, "localhost.rebound.example", 403),
        ({}, "", 403),
        ({"allowed_hosts": ["VQA.ward.example"]}, "vqa.ward.example", 200),
        ({"allowed_hosts": ["vqa.ward.example"]}, "else.ward.example", 403),
        ({"host": "127.0.0.2"}, "127.0.0.2:8080", 200),
        # Beyond loopback without keys: the network around decides, unless names are given.
        ({"host": EVERYWHERE}, "policy:8081", 200),
        ({"host": EVERYWHERE, "allowed_hosts": ["policy"]}, "policy:8081", 200),
        ({"host": EVERYWHERE, "allowed_hosts": ["policy"]}, "rebound.example", 403),
        ({"api_keys": "keys.json"}, "rebound.example", 200),
    ],
)
def test_names_that_are_answered(settings: dict[str, str], host: str, status: int) -> None:
    assert asked(PolicySettings(**settings).answered_hosts, headers={"Host": host}) == status  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:8080", 200),
        ("https://localhost:8080", 200),
        ("http://localhost:9090", 403),
        ("http://rebound.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_pages_of_other_sites_change_nothing_where_there_are_no_keys(origin: str | None, status: int) -> None:
    headers = {"Host": "localhost:8080"} | ({} if origin is None else {"Origin": origin})
    assert asked(None, "POST", headers=headers) == status
    assert asked(None, "POST", same_origin=False, headers=headers) == 200
    assert asked(None, "GET", headers=headers) == 200


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [("1.1", 0, 400), ("1.1", 1, 200), ("1.1", 2, 400), ("1.0", 0, 200), ("1.0", 2, 400)],
)
def test_a_request_has_one_host(version: str, hosts: int, status: int) -> None:
    app = FastAPI()
    app.get("/")(lambda: None)
    with running(HostCheck(app, names=None, same_origin=True)) as url, connect(url) as connection:
        lines = [f"GET / HTTP/{version}", *["Host: localhost"] * hosts, "Connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        reply = read_to_the_end(connection)
    if status == 200:
        assert reply.split()[1] == b"200"
    else:
        assert problem_of(reply) == (status, "one-host")
