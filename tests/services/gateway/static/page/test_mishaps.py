"""Accidents of a person and of a network: nothing is asked that was not meant, and the page says what went wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.services.gateway.answering.test_selection import said
from tests.services.gateway.conftest import picture
from tests.services.gateway.static.page.actions import ask, ask_about, choose
from tests.services.gateway.static.page.conftest import OpenPage
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER

DEFERRED = "No reliable answer: judge for yourself"


@pytest.mark.parametrize(
    ("typed", "asked"), [("2,5", "2.5"), ("2.5", "2.5"), (" 7 % ", "7"), (",5", "0.5"), ("30", "30")]
)
def test_an_accepted_risk_is_asked_for_as_it_was_typed(
    guarded: Page, upstream: Upstream, typed: str, asked: str
) -> None:
    """A field of the type number takes the comma of "2,5" away as it is typed, which leaves 25."""
    page = guarded
    upstream.text = said(95)
    choose(page, "Ultrasound")
    page.get_by_text("More", exact=True).click()
    page.locator("#max-risk").press_sequentially(typed)
    with page.expect_response("**/vqa") as response:
        ask(page)
    assert response.value.json()["decision_basis"]["max_risk"] == pytest.approx(float(asked) / 100)


@pytest.mark.parametrize("typed", ["1e", "-1", "100.5", "150", "2,5,5", "ten", "1 000"])
def test_an_accepted_risk_that_is_none_is_pointed_at(page: Page, upstream: Upstream, typed: str) -> None:
    choose(page, "Ultrasound")
    page.get_by_text("More", exact=True).click()
    page.locator("#max-risk").press_sequentially(typed)
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("a number from 0 to 100")
    expect(page.get_by_role("alert")).to_be_in_viewport()
    expect(page.locator("#max-risk")).to_be_focused()
    assert upstream.asked == []


def test_a_long_text_is_refused_and_not_cut(page: Page, upstream: Upstream) -> None:
    choose(page, "Ultrasound")
    page.get_by_label("What do you want to know?").fill("x" * 4001)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("at most 4000 characters, not 4001")
    page.get_by_label("What do you want to know?").fill("Which?")
    page.get_by_label("Option A", exact=True).fill("y" * 501)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("at most 500 characters, not 501")
    assert upstream.asked == []


PASTE = """([selector, types]) => {
    const clipboard = new DataTransfer();
    if (types.includes('text')) clipboard.setData('text/plain', 'Left');
    clipboard.items.add(new File([new Uint8Array(3)], 'cells.png', { type: 'image/png' }));
    const target = document.querySelector(selector);
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: clipboard, bubbles: true }));
}"""


def test_text_that_is_pasted_with_its_picture_changes_no_picture(page: Page) -> None:
    """Office programs copy cells as text and as a picture of the text."""
    choose(page, "Ultrasound")
    expect(page.locator("#file-name")).to_have_text("ultrasound.png: PNG, 112 × 112")
    page.evaluate(PASTE, ["#option-A", ["text"]])
    page.evaluate(PASTE, ["#question", ["text"]])
    expect(page.locator("#file-name")).to_have_text("ultrasound.png: PNG, 112 × 112")
    page.evaluate(PASTE, ["#question", []])  # a picture alone is meant, wherever the cursor is
    expect(page.locator("#problem")).to_be_visible()  # three bytes are none


def test_the_same_file_can_be_chosen_again(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    path.write_text("no picture yet")
    page.get_by_label("Choose a file").set_input_files(path)
    expect(page.get_by_role("alert")).to_be_visible()
    # A browser tells of no change where a field holds the file already.
    assert page.locator("#file").evaluate("e => e.files.length") == 0
    path.write_bytes(picture())
    page.get_by_label("Choose a file").set_input_files(path)
    expect(page.locator("#file-name")).to_have_text("film.png: PNG, 40 × 30")


def test_a_file_that_was_written_anew_is_not_taken_for_a_gateway_that_is_away(
    page: Page, upstream: Upstream, tmp_path: Path
) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(picture())
    page.get_by_label("Choose a file").set_input_files(path)
    expect(page.locator("#file-name")).to_have_text("film.png: PNG, 40 × 30")
    page.get_by_label("What do you want to know?").fill("What?")
    path.write_bytes(picture(size=(50, 60)))
    os.utime(path, (1e9, 1e9))  # browsers compare whole seconds
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text(
        "film.png can't be read: it was changed or moved since it was chosen, or is no file. Choose it again."
    )
    assert upstream.asked == []


@pytest.mark.parametrize("fault", ["cut", "lost", "strange"])
def test_a_reply_that_is_none_is_told_as_what_it_is(page: Page, fault: str) -> None:
    def reply(route: Route) -> None:
        if fault == "lost":
            route.abort("connectionreset")
        else:
            route.fulfill(status=200, content_type="application/json", body='{"id": 1' if fault == "cut" else "{}")

    page.route("**/vqa", reply)
    choose(page, "Ultrasound")
    page.evaluate("console.error = () => {}")  # which names the fault for a developer
    page.get_by_role("button", name="Ask", exact=True).click()
    words = {"cut": "The reply broke off", "lost": "could not be reached", "strange": "does not understand the reply"}
    expect(page.get_by_role("alert")).to_contain_text(words[fault])
    expect(page.locator("#result")).to_be_hidden()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    page.unroute("**/vqa")
    ask(page)
    expect(page.locator("#result .answer")).to_have_text("B. Oval")


@pytest.mark.parametrize("stated", [95, 60])
def test_what_came_of_a_question_is_in_sight_however_high_its_card_is(
    open_page: OpenPage, guarded_url: str, upstream: Upstream, stated: int
) -> None:
    upstream.text = said(stated)
    with open_page(guarded_url, height=560) as page:
        page.locator("#question").focus()
        ask_about(page)
        assert page.locator("#result").evaluate("e => e.offsetHeight") > 560
        expect(page.locator("#result .headline")).to_be_in_viewport(ratio=1)
        if stated == 95:
            expect(page.locator("#result .answer")).to_be_in_viewport(ratio=1)


def test_nothing_of_a_question_is_left_in_a_page_that_is_gone_back_to(page: Page, upstream: Upstream) -> None:
    """Half of a question, without its options and its picture, would be another question."""
    ask_about(page)
    page.get_by_text("More", exact=True).click()
    page.locator("#max-risk").fill("50")
    page.goto(f"{page.url}calibration")
    page.go_back()
    page.wait_for_selector("html[data-ready]")
    for field in page.locator("#question, #options input, #max-risk").all():
        expect(field).to_have_value("")
    expect(page.locator("#result")).to_be_hidden()


def test_an_earlier_answer_prints_itself(guarded: Page, upstream: Upstream) -> None:
    page = guarded
    ask_about(page)
    upstream.text = said(60)
    ask_about(page, "CT")
    result, old = page.locator("#result"), page.locator("#earlier-list .card")
    page.evaluate("window.print = () => {}")
    page.locator("#earlier-list summary").first.click()
    old.get_by_role("button", name="Print").click()
    page.emulate_media(media="print")
    expect(old.locator(".answer")).to_have_text("B. Oval")
    expect(old.locator(".answer")).to_be_visible()
    expect(old.locator(".on-paper")).to_contain_text("Picture: ultrasound.png. Asked ")
    expect(result).to_be_hidden()
    expect(page.locator("#earlier-heading")).to_be_hidden()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(old).to_be_hidden()
    expect(result.locator(".headline")).to_have_text(DEFERRED)
    expect(result.locator(".headline")).to_be_visible()
    page.emulate_media(media="screen")
    result.get_by_role("button", name="Print").click()
    page.emulate_media(media="print")
    expect(old).to_be_hidden()
    expect(result.locator(".on-paper")).to_contain_text("Picture: ct.png. Asked ")


def test_what_is_written_from_the_right_is_read_from_the_right(page: Page, upstream: Upstream) -> None:
    choose(page, "Ultrasound")
    page.get_by_label("What do you want to know?").fill("ما حجم الآفة؟")
    page.get_by_label("Option B", exact=True).fill("5 - 10 مم")
    ask(page)
    expect(page.locator("#result .answer")).to_have_text("B. 5 - 10 مم")
    direction = "e => getComputedStyle(e).direction"
    for selector in ("#question", "#option-B", ".asked-question", ".chosen bdi", ".answer bdi"):
        assert page.locator(selector).evaluate(direction) == "rtl", selector
    for selector in ("#option-A", "#result .answer", "#result .statement"):
        assert page.locator(selector).evaluate(direction) == "ltr", selector


def test_a_browser_without_javascript_is_told_so(open_page: OpenPage, guarded_url: str) -> None:
    with open_page(guarded_url, path="/", java_script_enabled=False) as page:
        expect(page.get_by_text("This page needs JavaScript")).to_be_visible()


def test_an_answer_takes_no_name_that_is_being_typed_from_its_field(page: Page, upstream: Upstream) -> None:
    ask_about(page)
    upstream.downstream = "held"
    page.get_by_role("button", name="Ask", exact=True).click()
    assert upstream.arrived.acquire(timeout=20)
    page.locator("#earlier summary").first.click()
    field = page.locator("#earlier").get_by_label("Who says so")
    field.press_sequentially("Dr. ")
    upstream.release.set()
    expect(page.locator("#result .answer")).to_have_text("B. Oval")
    expect(field).to_be_focused()
    page.keyboard.type("No")
    expect(field).to_have_value("Dr. No")
    # What is read aloud tells of it.
    expect(page.locator("#status")).to_contain_text("B (Oval)")


def test_seconds_are_counted_while_the_models_are_asked(page: Page, upstream: Upstream) -> None:
    seconds = page.locator("#waiting-seconds")
    upstream.downstream = "hang"
    choose(page, "Ultrasound")
    page.clock.install()
    expect(seconds).to_have_text("")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert upstream.arrived.acquire(timeout=20)
    page.clock.fast_forward(71_000)
    expect(seconds).to_have_text(re.compile(r"7\d s"))
    expect(page.locator("#waiting-heading")).to_have_text("Asking the models…")
    expect(page.locator("#status")).to_have_text("Asking the models.")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_have_text("Cancelled.")
    page.clock.fast_forward(5_000)
    expect(seconds).to_have_text("")


def test_a_fault_of_a_question_that_was_given_up_is_not_told_of_the_next(page: Page, upstream: Upstream) -> None:
    """The file is looked at before the fault is named, and meanwhile somebody types."""
    page.route("**/vqa", lambda route: route.abort("connectionreset"))
    choose(page, "Ultrasound")
    page.evaluate(
        """() => {
          Blob.prototype.arrayBuffer = () => new Promise((go) => {
            window.lookedAt = go;
            document.documentElement.dataset.looking = "true";
          });
        }"""
    )
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector("html[data-looking]")
    page.get_by_label("What do you want to know?").fill("Another?")
    page.evaluate("window.lookedAt(new ArrayBuffer(1))")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    expect(page.locator("#problem")).to_be_hidden()
