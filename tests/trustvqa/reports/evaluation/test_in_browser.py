"""The page in a real browser: it asks for nothing, fits a phone, and is light on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from prompt4trust.evaluation import build_report
from prompt4trust.evaluation.report import ReportedRun
from tests.support.browser import IN_BROWSER, accessibility_faults
from tests.trustvqa.reports.evaluation.test_evaluation_page import artifact, asked, manifest, predictions
from trustvqa.reports.evaluation.evaluation_page import render_evaluation_page

pytestmark = IN_BROWSER
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run, rows, fitted = manifest(), predictions("A reply with_one_very_long_word_" + "x" * 300), [artifact(1.0, -0.3)]
    report = build_report(rows, run, fitted, resamples=10, group_resamples=2)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_evaluation_page(report, [ReportedRun(run, rows, fitted)], asked()), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """The page at phone width on a dark screen; it must have complained of nothing and asked nobody."""
    context = browser.new_context(viewport={"width": 360, "height": 800}, color_scheme="dark")
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    yield page
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    context.close()


def test_fits_a_phone_and_wide_things_scroll_by_keyboard(page: Page) -> None:
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wide = "[...document.querySelectorAll('.wide')].filter(each => each.scrollWidth > each.clientWidth)"
    assert page.evaluate(f"{wide}.length") > 0
    assert page.evaluate(f"{wide}.every(each => each.tabIndex === 0)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#answers"


def test_is_dark_on_a_dark_screen_and_light_on_paper(page: Page) -> None:
    assert page.evaluate(GROUND) == "rgb(16, 22, 21)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(GROUND) == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_drawings_have_a_name_for_screen_readers(page: Page) -> None:
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.get_by_role("img", name="Risk-coverage curves of the methods").count() == 1
    assert page.get_by_role("img", name="Reliability diagram of verbalized").count() == 1
    assert page.get_by_role("heading", level=2).count() == 11


def test_words_in_drawings_stay_within_them(page: Page) -> None:
    page.set_viewport_size({"width": 1200, "height": 900})
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    outside = page.evaluate(
        """[...document.querySelectorAll('svg[role=img]')].flatMap(drawing => {
          const frame = drawing.getBoundingClientRect();
          return [...drawing.querySelectorAll('text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < frame.left - 1 || box.right > frame.right + 1 ||
                   box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
          }).map(text => drawing.getAttribute('aria-label') + ': ' + text.textContent);
        })"""
    )
    assert outside == []


def test_the_first_page_answers_and_the_rest_is_folded(page: Page) -> None:
    first = page.get_by_role("region", name="In short")
    assert first.get_by_text("Which method?").is_visible()
    assert first.get_by_text("At which risk?").is_visible()
    assert page.locator(".more").count() == 10
    assert page.locator(".more [open]").count() == 0
    page.locator(".more summary", has_text="Reliability").click()
    assert page.get_by_role("img", name="Reliability diagram of verbalized").is_visible()


def test_folded_it_is_one_printed_page(browser: Browser, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    printed = page.pdf(format="A4")
    page.close()
    assert printed.count(b"/Type /Page\n") == 1


def test_nothing_is_in_the_way_of_anybody(page: Page) -> None:
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert accessibility_faults(page) == []
