"""Tokens in place of keys: shown with every request, a fresh one each time where they are given by a function."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trustvqa.client.gateways import FakeGateway
from trustvqa.client import Client, ClientError
from trustvqa.client.tokens import token_in


def shown(gateway: FakeGateway) -> list[str | None]:
    return [each["headers"].get("authorization") for each in gateway.requests]


def test_a_token_is_shown_instead_of_the_environment_s_key(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUSTVQA_API_KEY", "tvqa_x")
    with Client(gateway.url, token="a.b.c") as client:
        client.about()
    assert shown(gateway) == ["Bearer a.b.c"]


def test_a_function_gives_a_fresh_one_for_every_try(gateway: FakeGateway) -> None:
    gateway.replies = [(503, {}, {"Retry-After": "0"})]
    given = iter(("one", "two", "three"))
    with Client(gateway.url, token=lambda: next(given)) as client:
        client.about()
        client.about()
    assert shown(gateway) == ["Bearer one", "Bearer two", "Bearer three"]


def test_a_file_is_read_each_time(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    with Client(gateway.url, token=token_in(path)) as client:
        client.about()
        path.write_text("second\n")
        client.about()
        for content in ("", "two words"):
            path.write_text(content)
            with pytest.raises(ClientError, match="holds no token"):
                client.about()
        path.unlink()
        with pytest.raises(ClientError, match="cannot be read"):
            client.about()
    assert shown(gateway) == ["Bearer first", "Bearer second"]


def test_a_key_and_a_token_are_one_too_many() -> None:
    with pytest.raises(ClientError, match="not both"):
        Client(api_key="tvqa_x", token="a.b.c")
