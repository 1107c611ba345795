"""Signing in as a person does: in a real browser, by mouse and by keyboard, also where scripts are off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER
from tests.support.keys import bearer, keys_at
from tests.support.waiting import wait_until

pytestmark = IN_BROWSER


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    return keys_at(tmp_path / "keys.json", ward="ask", scraper="metrics")


@pytest.fixture
def url(make_gateway: MakeGateway, keys: dict[str, str], tmp_path: Path, upstream: Upstream) -> Iterator[str]:
    with make_gateway(api_keys=tmp_path / "keys.json") as url:
        yield url


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    context = browser.new_context(java_script_enabled=request.param)
    context.set_default_timeout(20_000)
    yield context
    context.close()


def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and what its browser complains of."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if "Failed to load" not in line.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


def test_signing_in_by_keyboard_and_being_led_where_one_was_going(
    context: BrowserContext, url: str, keys: dict[str, str]
) -> None:
    page, complaints = watched(context)
    page.goto(f"{url}/calibration")
    expect(page).to_have_url(f"{url}/sign-in?next=%2Fcalibration")
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    field.fill("wrong")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is no key of this service.")
    page.get_by_label("API key").fill(keys["scraper"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("scope ask")
    page.get_by_label("API key").fill(keys["ward"])
    page.get_by_label("API key").press("Enter")
    expect(page).to_have_url(f"{url}/calibration")
    expect(page.get_by_role("heading", level=1)).to_have_text("Does calibrated confidence hold?")
    [cookie] = context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("trustvqa_key", True, "Strict")
    assert cookie["expires"] == -1  # goes with the browser
    assert complaints == []


def test_asking_and_signing_out(browser: Browser, url: str, keys: dict[str, str], tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(20_000)
    page, complaints = watched(context)
    page.goto(url)
    page.get_by_label("API key").fill(keys["ward"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("html[data-ready]")).to_be_attached()
    expect(page.get_by_text("Signed in as ward")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.cookie") == ""
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    page.get_by_label("What do you want to know?").fill("Which shape?")
    page.locator("#options input").nth(0).fill("Round")
    page.locator("#options input").nth(1).fill("Oval")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#result")).to_be_visible()

    # The key is taken back while the page is open: nothing that was typed is lost.
    keys_at(tmp_path / "keys.json", other="ask")
    wait_until(lambda: httpx.get(f"{url}/v1/about", headers=bearer(keys["ward"])).status_code == 401)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#problem")).to_contain_text("Sign in again")
    expect(page.get_by_label("What do you want to know?")).to_have_value("Which shape?")

    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{url}/sign-in")
    assert context.cookies() == []
    assert complaints == []
    context.close()


def test_another_site_s_page_signs_nobody_in_and_asks_nothing(
    browser: Browser, url: str, keys: dict[str, str], gateway_url: str
) -> None:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    page, _ = watched(context)
    page.goto(f"{url}/sign-in")
    page.get_by_label("API key").fill(keys["ward"])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{url}/")
    # `localhost` is another site than 127.0.0.1, for the cookie and for what the browser says of a request.
    foreign = gateway_url.replace("127.0.0.1", "localhost")
    page.goto(f"{foreign}/v1/about")
    replies: list[int] = []
    page.on("response", lambda reply: replies.append(reply.status) if reply.url.startswith(url) else None)
    page.evaluate(
        """url => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = url + "/sign-out";
            document.documentElement.append(form);
            form.submit();
        }""",
        url,
    )
    page.wait_for_url(f"{url}/sign-out")
    assert replies == [403]
    assert [cookie["name"] for cookie in context.cookies(url)] == ["trustvqa_key"]
    context.close()
