"""The API reference in a real browser: drawn from the gateway's own files, under its content security policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.services.gateway.conftest import MakeGateway
from tests.support.browser import IN_BROWSER
from tests.support.keys import bearer, keys_at

pytestmark = IN_BROWSER


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    return keys_at(tmp_path / "keys.json", ward="ask")


@pytest.fixture
def url(make_gateway: MakeGateway, keys: dict[str, str], tmp_path: Path) -> Iterator[str]:
    with make_gateway(api_keys=tmp_path / "keys.json") as url:
        yield url


def test_it_shows_every_operation_and_lets_read_only(browser: Browser, url: str, keys: dict[str, str]) -> None:
    paths = httpx.get(f"{url}/openapi.json", headers=bearer(keys["ward"])).json()["paths"]
    context = browser.new_context()
    context.set_default_timeout(20_000)
    page = context.new_page()
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))

    page.goto(f"{url}/docs")
    page.get_by_label("API key").fill(keys["ward"])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{url}/docs")
    expect(page.locator(".opblock")).to_have_count(sum(len(item) for item in paths.values()))
    expect(page.locator(".info .title")).to_contain_text("TrustVQA gateway")

    asking = page.locator("#operations-answering-vqa")
    asking.locator(".opblock-summary-control").click()
    expect(asking.locator(".opblock-body")).to_contain_text("Idempotency-Key")
    expect(asking.locator(".try-out__btn")).to_have_count(0)

    reading = page.locator("#operations-answering-about")
    reading.locator(".opblock-summary-control").click()
    reading.locator(".try-out__btn").click()
    reading.locator(".execute").click()
    expect(reading.locator(".live-responses-table tr.response .response-col_status")).to_contain_text("200")
    assert complaints == []
    assert hosts - {""} == {urlsplit(url).netloc}
    context.close()
