"""Fixtures and order of every test process: what tests share is read and set up once."""

from __future__ import annotations

import functools
import gc
import os
import ssl
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling

if TYPE_CHECKING:  # its import takes a second
    from playwright.sync_api import Browser

    from tests.support.browser import KeptBrowser

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Where it is there, jsonschema makes a parser of it when it is imported, for seconds, to check the form of IRIs: no
# test asks for one.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # what makes an import an ImportError


class FileScheduling(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a process whole groups, which come first since they take longest, and else whole files.

    Tests of one file share servers, which each process that gets some of them would start.
    """

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if scope == nodeid else scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadGroupScheduling | None:
    """Distribute whole files where groups are distributed."""
    if config.getvalue("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False  # the order is that of pytest_collection_modifyitems
    return FileScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are read, nor ever among what is there then: nearly all of it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


_LONGEST_NAME = 80


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long text or body by its length: processes tell each other the names of all tests, again and again."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > _LONGEST_NAME else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of groups first."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture(scope="session", autouse=True)
def certificates_are_read_once() -> Iterator[None]:
    """Share one TLS context among usual clients: reading its certificates takes longer than most tests.

    Each gateway and each downstream service that a test starts has a client that takes nothing from the environment,
    besides those that do.
    """

    @functools.cache
    def usual(trust_env: bool, *_: str | None) -> ssl.SSLContext:
        return httpx.create_ssl_context(trust_env=trust_env)

    def context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is True and cert is None:
            return usual(trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        return httpx.create_ssl_context(verify=verify, cert=cert, trust_env=trust_env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", context)
        yield


@pytest.fixture(scope="session", autouse=True)
def routes_are_read_once() -> Iterator[None]:
    """Share what FastAPI reads of a route among the applications of all tests."""
    from tests.support.servers import share_routes

    with pytest.MonkeyPatch.context() as patch:
        share_routes(patch)
        yield


@pytest.fixture(scope="session")
def kept_browser(pytestconfig: pytest.Config) -> KeptBrowser:
    """Keep one browser for tests that follow each other."""
    from tests.support.browser import KeptBrowser

    return KeptBrowser(pytestconfig)


@pytest.fixture
def browser(kept_browser: KeptBrowser) -> Iterator[Browser]:
    """A real browser, for the tests of a page."""
    with kept_browser.lent() as browser:
        yield browser
