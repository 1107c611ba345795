"""A real browser for pages: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
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
def chromium() -> Iterator[Browser]:
    """Start a browser for the length of a block."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=20_000)
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


def accessibility_faults(page: Page) -> list[str]:
    """Faults that axe-core finds of a page by its rules for WCAG 2.2 and good practice, with the elements meant."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {', '.join(str(node['target']) for node in each['nodes'])}" for each in found]
