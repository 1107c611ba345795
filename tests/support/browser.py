"""A real browser for pages: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

_BARE = "chromium-headless-shell"
"""A build of Chromium without windows, extensions and profiles: a page takes half of the processor time."""
_WHOLE = ("chromium", "chromium-browser", "google-chrome")


def _installed(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


_CHROMIUM = _installed(_BARE, *_WHOLE)
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(_CHROMIUM is None, reason="there is no Chromium on this machine"),
]
"""Marks of tests that need one, for a module: `pytestmark = IN_BROWSER`."""


def in_browser(test: Callable[..., None]) -> Callable[..., None]:
    """Mark one test that needs one."""
    for mark in IN_BROWSER:
        test = mark(test)
    return test


@contextmanager
def chromium(*, whole: bool = False) -> Iterator[Browser]:
    """Start a browser for the length of a block.

    Args:
        whole: Prefer the build that people use, for what is not only pages of this project.
    """
    path = _installed(*_WHOLE, _BARE) if whole else _CHROMIUM
    with sync_playwright() as playwright:
        expect.set_options(timeout=20_000)
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


class KeptBrowser:
    """One browser for tests of several modules that follow each other; it ends with the last of them.

    Starting one takes two seconds of processor time. It may not outlive them: while Playwright runs, no test of the
    same process can have an event loop of its own.

    Args:
        config: Where it asks to be told which test is next.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._plugins = config.pluginmanager
        self._open = ExitStack()
        self._browser: Browser | None = None

    @contextmanager
    def lent(self) -> Iterator[Browser]:
        """Lend it for the length of a block; contexts that were opened in there are closed."""
        if self._browser is None:
            self._browser = self._open.enter_context(chromium())
            self._plugins.register(self)
        known = set(self._browser.contexts)
        yield self._browser
        for context in set(self._browser.contexts) - known:
            context.close()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> Generator[None, None, None]:
        """End it before a test that needs none."""
        try:
            return (yield)
        finally:
            if nextitem is None or nextitem.get_closest_marker("browser") is None:
                self._plugins.unregister(self)
                self._browser = None
                self._open.close()


def accessibility_faults(page: Page) -> list[str]:
    """Faults that axe-core finds of a page by its rules for WCAG 2.2 and good practice, with the elements meant."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {', '.join(str(node['target']) for node in each['nodes'])}" for each in found]
