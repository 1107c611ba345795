"""The page, driven in a real browser as a person would: by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.services.gateway.conftest import picture
from tests.services.gateway.static.page.actions import ask, assert_accessible, choose
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER


def test_a_sample_is_asked_about_and_answered(page: Page, upstream: Upstream) -> None:
    choose(page, "Ultrasound")
    expect(page.get_by_label("What do you want to know?")).to_have_value("What shape are the findings?")
    expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Ask", exact=True).click()
    result = page.get_by_role("region", name="Answer", exact=True)
    expect(result.locator(".answer")).to_have_text("B. Oval")
    expect(result.get_by_role("meter", name="Calibrated", exact=True)).to_have_attribute("aria-valuetext", "53 %")
    expect(result.get_by_role("meter", name="Stated by the model")).to_have_attribute("aria-valuetext", "95 %")
    expect(result).to_contain_text("fitted on 200 answers of phantom-vqa")
    expect(result.locator(".decision")).to_have_text("No guarantee")
    expect(result.locator(".statement")).to_have_text(
        "B (Oval). Of 100 answers like this one about 53 were right. No guarantee."
    )
    expect(result.locator(".guidance")).to_have_text("Weigh the border.")
    expect(result.locator(".explanation")).to_have_text(upstream.text.replace("95", "[number left out]"))
    expect(page.locator("#status")).to_contain_text("B (Oval). Of 100 answers like this one about 53 were right.")
    expect(result).to_be_focused()
    expect(result.locator(".asked-question")).to_have_text("What shape are the findings?")
    expect(result.locator(".asked-options .chosen")).to_have_text("B. Oval")
    fill = page.locator(".bar.calibrated .fill").evaluate("e => e.offsetWidth / e.parentElement.offsetWidth")
    wanted = page.locator(".bar.calibrated .fill").evaluate("e => Number(e.style.getPropertyValue('--share'))")
    page.wait_for_function(
        "wanted => { const e = document.querySelector('.bar.calibrated .fill');"
        " return Math.abs(e.offsetWidth / e.parentElement.offsetWidth - wanted) < 0.01 }",
        arg=wanted,
    )
    assert 0 <= fill <= 1


def test_every_sample_can_be_asked_about(page: Page, upstream: Upstream) -> None:
    upstream.text = "The answer is A with confidence 95."
    samples = page.locator("#samples button")
    count = samples.count()
    assert count >= 5
    for index in range(count):
        samples.nth(index).click()
        expect(samples.nth(index)).to_have_attribute("aria-pressed", "true")
        first = page.get_by_label("Option A", exact=True).input_value()
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#result .answer")).to_have_text(f"A. {first}")
    assert len(upstream.asked) == count


def test_a_persons_own_picture_by_keyboard_alone(page: Page, upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "chest <b>film.tiff"
    path.write_bytes(picture(form="TIFF"))
    page.get_by_label("Choose a file").set_input_files(path)
    expect(page.locator("#file-name")).to_have_text(f"{path.name}: TIFF, 40 × 30")
    expect(page.locator("#preview")).to_be_visible()  # which a browser cannot by itself
    page.get_by_label("What do you want to know?").focus()
    page.keyboard.type("Is it <i>large</i>?")
    page.keyboard.press("Tab")
    for text in ("yes", "no"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")  # to the option's own button
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # from within an option: the form is sent
    expect(page.locator(".answer")).to_have_text("B. no")
    assert "Is it <i>large</i>?" in str(upstream.asked[-1]["messages"])


def test_options_are_added_removed_and_lettered_anew(page: Page) -> None:
    page.get_by_label("Option A", exact=True).fill("one")
    page.get_by_label("Option B", exact=True).fill("two")
    page.get_by_label("Option C", exact=True).fill("three")
    page.get_by_role("button", name="Remove option B").click()
    expect(page.get_by_label("Option B", exact=True)).to_have_value("three")
    expect(page.get_by_label("Option B", exact=True)).to_be_focused()
    for _ in range(23):
        page.get_by_role("button", name="Add an option").click()
    expect(page.get_by_label("Option Z", exact=True)).to_be_focused()
    expect(page.get_by_role("button", name="Add an option")).to_be_disabled()


def test_what_is_missing_is_said_and_pointed_at(page: Page, upstream: Upstream) -> None:
    ask = page.get_by_role("button", name="Ask", exact=True)
    ask.click()
    expect(page.get_by_role("alert")).to_have_text("Choose a picture first.")
    choose(page, "CT")
    page.get_by_label("What do you want to know?").fill("  ")
    ask.click()
    expect(page.get_by_role("alert")).to_have_text("Type a question.")
    expect(page.get_by_label("What do you want to know?")).to_be_focused()
    assert upstream.asked == []


def test_an_error_is_shown_where_the_eye_is_and_gets_the_focus(page: Page, upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    page.get_by_label("Choose a file").set_input_files(path)
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("send PNG, JPEG, WebP, TIFF, BMP or DICOM")
    expect(page.get_by_label("Choose a file")).to_be_focused()
    expect(page.get_by_label("Choose a file")).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".drop + #problem")).to_be_visible()
    choose(page, "MRI")
    expect(problem).to_be_hidden()
    upstream.downstream = 503
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(problem).to_contain_text("Try again in")
    expect(problem).to_be_focused()
    expect(problem).to_be_in_viewport()
    expect(page.locator(".side > #problem")).to_be_visible()
    upstream.downstream = "reply"
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator(".answer")).to_be_visible()


def test_an_error_is_in_sight_on_a_telephone(page: Page, upstream: Upstream) -> None:
    page.set_viewport_size({"width": 390, "height": 700})
    choose(page, "MRI")
    upstream.downstream = 503
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_be_in_viewport()
    expect(page.get_by_role("alert")).to_be_focused()


def test_control_and_enter_ask(page: Page, upstream: Upstream) -> None:
    choose(page, "Ultrasound")
    page.get_by_label("What do you want to know?").focus()
    page.keyboard.press("Enter")  # a new line, no question
    page.keyboard.press("Control+Enter")
    expect(page.locator(".answer")).to_have_text("B. Oval")
    assert len(upstream.asked) == 1


def test_leaving_the_field_in_which_was_typed_takes_no_answer_away(page: Page, upstream: Upstream) -> None:
    upstream.downstream = "held"
    choose(page, "Ultrasound")
    page.get_by_label("What do you want to know?").focus()
    page.keyboard.type("Now: ")
    page.keyboard.press("Control+Enter")
    assert upstream.arrived.acquire(timeout=20)
    page.keyboard.press("Tab")
    upstream.release.set()
    expect(page.locator("#result .answer")).to_have_text("B. Oval")
    page.get_by_label("Option B", exact=True).focus()
    expect(page.locator("#result .answer")).to_be_visible()
    page.keyboard.type("!")
    expect(page.locator("#result")).to_be_hidden()


def test_what_was_typed_is_not_lost_with_an_option_or_to_a_sample(page: Page) -> None:
    for letter, text in zip("ABC", ("one", "two", "three"), strict=True):
        page.get_by_label(f"Option {letter}", exact=True).fill(text)
    page.get_by_label("What do you want to know?").fill("Mine?")
    page.get_by_role("button", name="Remove option B").click()
    expect(page.locator("#undo")).to_contain_text("Option B, “two”, was removed.")
    page.get_by_role("button", name="Put it back").click()
    expect(page.get_by_label("Option B", exact=True)).to_have_value("two")
    expect(page.get_by_label("Option C", exact=True)).to_have_value("three")
    choose(page, "CT")
    expect(page.get_by_label("What do you want to know?")).not_to_have_value("Mine?")
    page.get_by_role("button", name="Put it back").click()
    expect(page.get_by_label("What do you want to know?")).to_have_value("Mine?")
    expect(page.get_by_label("Option A", exact=True)).to_have_value("one")
    choose(page, "CT")
    choose(page, "MRI")  # a sample's own question is nobody's loss, but the one before it was typed
    expect(page.locator("#undo")).to_be_hidden()


def test_empty_options_close_up_and_their_fields_stay(page: Page, upstream: Upstream) -> None:
    choose(page, "Ultrasound")
    page.get_by_label("Option A", exact=True).fill("")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".answer")).to_have_text("B. Spiculated")
    expect(page.get_by_label("Option A", exact=True)).to_have_value("Oval")
    expect(page.get_by_label("Option D", exact=True)).to_have_value("")


def test_a_question_keeps_its_key_until_it_is_answered(page: Page, upstream: Upstream) -> None:
    keys: list[str] = []
    page.on("request", lambda it: keys.append(it.headers["idempotency-key"]) if it.url.endswith("/vqa") else None)
    ask = page.get_by_role("button", name="Ask", exact=True)
    upstream.downstream = 503
    choose(page, "MRI")
    for _ in range(2):
        with page.expect_response("**/vqa"):
            ask.click()
        expect(ask).to_be_enabled()
    page.get_by_label("What do you want to know?").fill("Which side?")
    upstream.downstream = "reply"
    for _ in range(2):
        with page.expect_response("**/vqa"):
            ask.click()
        expect(ask).to_be_enabled()
    first, again, other, next_time = keys
    assert first == again
    assert len({first, other, next_time}) == 3


def test_an_uncalibrated_and_degraded_answer_says_so(page: Page, upstream: Upstream) -> None:
    upstream.policy = 503
    choose(page, "Ultrasound")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#result .degraded")).to_contain_text("asked without guidance")
    expect(page.locator("#result .guidance")).to_have_text("none was used")
    upstream.policy, upstream.version = "reply", "policy-unheard-of"
    page.get_by_role("button", name="Ask", exact=True).click()
    result = page.locator("#result")
    expect(result.locator(".headline")).to_have_text("No reliable answer: judge for yourself")
    expect(result.locator(".degraded")).to_contain_text("No calibrator fits")
    expect(result.locator(".statement")).to_have_count(0)
    result.get_by_text("Show what the model guessed").click()
    expect(result.get_by_role("meter", name="Not calibrated: as the model stated it")).to_be_visible()
    upstream.text = "I would rather not say. <img src=x onerror=alert(1)>"
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(result.locator(".guessed")).to_have_text("The model's reply holds no answer.")
    expect(result.locator(".explanation")).to_have_text(upstream.text)


def test_a_question_can_be_cancelled(page: Page, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    choose(page, "Ultrasound")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert upstream.arrived.acquire(timeout=20)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_have_text("Cancelled.")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    assert upstream.hung_up.wait(20)


def test_lines_that_are_no_options_are_said_to_be_none(page: Page, upstream: Upstream) -> None:
    """By the API [] says so; whoever is at the page cannot send that."""
    choose(page, "Ultrasound")
    for field in page.locator("#options input").all():
        field.fill("")
    text = "What is seen?\nKnown are:\n- fever\n- cough"
    page.get_by_label("What do you want to know?").fill(text)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("If they are none, say so here.")
    none = page.get_by_label("The question has no options, whatever its lines look like")
    expect(none).to_be_focused()
    assert upstream.asked == []
    page.keyboard.press("Space")
    expect(none).to_be_checked()
    ask(page)
    expect(page.locator("#result .asked-question")).to_have_text(text)
    assert len(upstream.asked) == 1
    assert_accessible(page)
