"""The page in a browser, in front of a gateway whose models are scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from services.common.registry.directory import Registry
from tests.services.gateway.answering.test_selection import make_guard
from tests.services.gateway.conftest import MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream

OpenPage = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def open_page(browser: Browser) -> OpenPage:
    """Open the page of a gateway; at the end it must have complained of nothing and asked nobody else."""

    @contextmanager
    def opened(url: str, *, width: int = 1280, height: int = 900, path: str = "", **context: str) -> Iterator[Page]:
        made = browser.new_context(viewport={"width": width, "height": height}, **context)  # type: ignore[arg-type]
        page = made.new_page()
        page.set_default_timeout(20_000)
        complaints: list[str] = []
        strangers: list[str] = []

        def note(message: ConsoleMessage) -> None:
            # The browser itself reports every reply of 4xx and 5xx.
            if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
                complaints.append(message.text)

        def watch(request: Request) -> None:
            if not request.url.startswith((url, "blob:", "data:")):
                strangers.append(request.url)

        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", watch)
        page.goto(f"{url}{path}")
        if not path:
            page.wait_for_selector("html[data-ready]")
        try:
            yield page
        finally:
            made.close()
        assert complaints == []
        assert strangers == []

    return opened


@pytest.fixture
def page(open_page: OpenPage, gateway_url: str, upstream: Upstream) -> Iterator[Page]:
    """The page of a gateway without guards, which answers by a threshold of 0.5."""
    with open_page(gateway_url) as page:
        yield page


@pytest.fixture(scope="session")
def guarded_url(make_gateway: MakeGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with the default rule and a guard for its default method."""
    registry = Registry(tmp_path_factory.mktemp("guarded"))
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.97))
    registry.guards.publish(make_guard())
    with make_gateway(registry=registry.root, max_risk=0.1) as url:
        yield url


@pytest.fixture
def guarded(open_page: OpenPage, guarded_url: str, upstream: Upstream) -> Iterator[Page]:
    """Its page."""
    with open_page(guarded_url) as page:
        yield page
