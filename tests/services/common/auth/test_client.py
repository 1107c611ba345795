"""The client of a request: its key, else its address."""

from __future__ import annotations

import pytest

from services.common.auth import Right, make_key
from services.common.auth.caller import Caller
from services.common.auth.client import client_of
from tests.support.keys import MADE


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::1"),
        ("unix:", "unix:"),
    ],
)
def test_without_keys_it_is_the_address_or_the_ipv6_site(address: str, client: str) -> None:
    assert client_of({"type": "http", "client": (address, 1)}) == client


def test_without_an_address_it_is_nobody() -> None:
    assert client_of({"type": "http", "client": None}) == ""


def test_with_keys_it_is_the_keys_id_wherever_it_comes_from() -> None:
    _, key = make_key("app", [Right.ASK], created=MADE)
    caller = Caller.of_key(key)
    scopes = [{"type": "http", "client": (address, 1), "state": {"caller": caller}} for address in ("192.0.2.1", "::1")]
    assert {client_of(scope) for scope in scopes} == {key.id}
