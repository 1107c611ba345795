"""Fixtures for tests of all services."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.habits import HabitsServer
from tests.support.servers import running


@pytest.fixture(scope="module")
def serving() -> Iterator[tuple[HabitsServer, str]]:
    """A model's server with other servers' habits, and its address."""
    server = HabitsServer()
    with running(server.app) as url:
        yield server, url
