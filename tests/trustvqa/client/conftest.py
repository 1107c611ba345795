"""A gateway that repeats what it was asked, and says what it is told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.trustvqa.client.gateways import FakeGateway, fake_gateway


@pytest.fixture(scope="module")
def server() -> Iterator[FakeGateway]:
    with fake_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(server: FakeGateway) -> FakeGateway:
    server.replies.clear()
    server.requests.clear()
    server.line = FakeGateway().line
    return server
