"""A person's actions on the page."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.browser import accessibility_faults


def choose(page: Page, sample: str) -> None:
    """Choose a sample and wait until it is there."""
    button = page.get_by_role("button", name=sample, exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")


def ask(page: Page) -> None:
    """Ask, and wait for an answer or a deferral."""
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#result")).to_be_visible()


def ask_about(page: Page, sample: str = "Ultrasound") -> None:
    """Choose a sample, ask its question and wait for what comes of it."""
    choose(page, sample)
    ask(page)


def assert_accessible(page: Page) -> None:
    """axe-core finds nothing, and nothing is wider than the screen."""
    assert accessibility_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
