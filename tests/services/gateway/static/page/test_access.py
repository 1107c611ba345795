"""The page for everybody: screen readers, telephones, 400 % zoom, dark rooms, forced colours."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.services.gateway.answering.test_selection import said
from tests.services.gateway.static.page.actions import ask, ask_about, assert_accessible
from tests.services.gateway.static.page.conftest import OpenPage
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 900, "light"), (390, 800, "dark"), (320, 225, "light")])
def test_nothing_is_in_the_way_of_anybody(
    open_page: OpenPage, guarded_url: str, upstream: Upstream, width: int, height: int, scheme: str
) -> None:
    """1280 x 900 at 400 % is 320 x 225."""
    with open_page(guarded_url, width=width, height=height, color_scheme=scheme, reduced_motion="reduce") as page:
        assert_accessible(page)
        ask_about(page)
        assert_accessible(page)
        upstream.text = said(60)
        ask(page)
        page.get_by_text("Show what the model guessed").click()
        page.locator("#earlier-list summary").first.click()
        assert_accessible(page)
        upstream.downstream = 503
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert_accessible(page)


def test_forced_colours_keep_the_bars(open_page: OpenPage, guarded_url: str, upstream: Upstream) -> None:
    with open_page(guarded_url, forced_colors="active", reduced_motion="reduce") as page:
        ask_about(page)
        fill, ground = page.locator("#result .bar.calibrated .fill").evaluate(
            "e => [e, document.body].map(it => getComputedStyle(it).backgroundColor)"
        )
        assert fill != ground
        assert (
            page.locator("#result .bar.calibrated .track").evaluate("e => getComputedStyle(e).borderTopWidth") == "1px"
        )


def test_a_visitor_without_a_key_is_not_signed_in_as_nobody(page: Page) -> None:
    expect(page.get_by_text("Signed in as")).to_be_hidden()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


def test_a_deferral_is_in_sight_on_a_telephone(open_page: OpenPage, guarded_url: str, upstream: Upstream) -> None:
    upstream.text = said(60)
    with open_page(guarded_url, width=390, height=700) as page:
        ask_about(page)
        expect(page.locator("#result .headline")).to_be_in_viewport()
