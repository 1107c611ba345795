"""The page, driven in a real browser as a person would: by mouse, by keyboard, at phone width."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from services.common.registry.directory import Registry
from tests.services.gateway.answering.test_selection import make_guard
from tests.services.gateway.answering.test_shift import make_reference
from tests.services.gateway.conftest import MakeGateway, make_calibrator, picture
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER


@pytest.fixture
def page(browser: Browser, gateway_url: str, upstream: Upstream) -> Iterator[Page]:
    """The page, ready; afterwards it must have complained of nothing and asked nobody else."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    strangers: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # The browser itself reports every reply of 4xx and 5xx.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith((gateway_url, "blob:", "data:")):
            strangers.append(request.url)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", watch)
    page.goto(gateway_url)
    page.wait_for_selector("html[data-ready]")
    yield page
    context.close()
    assert complaints == []
    assert strangers == []


def choose(page: Page, sample: str) -> None:
    """Choose a sample and wait until it is there."""
    button = page.get_by_role("button", name=sample, exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")


def test_a_sample_is_asked_about_and_answered(page: Page, upstream: Upstream) -> None:
    choose(page, "Ultrasound")
    expect(page.get_by_label("What do you want to know?")).to_have_value("What shape are the findings?")
    expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Ask", exact=True).click()
    result = page.get_by_role("region", name="Answer")
    expect(result.locator("#answer")).to_have_text("B. Oval")
    expect(result.get_by_role("meter", name="Calibrated", exact=True)).to_have_attribute("aria-valuetext", "53 %")
    expect(result.get_by_role("meter", name="Stated by the model")).to_have_attribute("aria-valuetext", "95 %")
    expect(result).to_contain_text("fitted on 200 answers of phantom-vqa")
    expect(result).to_contain_text("Confident enough to answer")
    expect(result.locator("#guidance")).to_have_text("Weigh the border.")
    expect(result.locator("#explanation")).to_have_text(upstream.text)
    expect(page.get_by_role("status")).to_contain_text("B. Oval")
    expect(result).to_be_focused()
    fill = page.locator(".bar.calibrated .fill").evaluate("e => e.offsetWidth / e.parentElement.offsetWidth")
    wanted = page.locator(".bar.calibrated .fill").evaluate("e => Number(e.style.getPropertyValue('--share'))")
    page.wait_for_function(
        "wanted => { const e = document.querySelector('.bar.calibrated .fill');"
        " return Math.abs(e.offsetWidth / e.parentElement.offsetWidth - wanted) < 0.01 }",
        arg=wanted,
    )
    assert 0 <= fill <= 1


def test_every_sample_can_be_asked_about(page: Page, upstream: Upstream) -> None:
    upstream.text = "The answer is A with confidence 80."
    samples = page.locator("#samples button")
    count = samples.count()
    assert count >= 5
    for index in range(count):
        samples.nth(index).click()
        expect(samples.nth(index)).to_have_attribute("aria-pressed", "true")
        first = page.get_by_label("Option A", exact=True).input_value()
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#answer")).to_have_text(f"A. {first}")
    assert len(upstream.asked) == count


def test_a_persons_own_picture_by_keyboard_alone(page: Page, upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "chest <b>film.tiff"
    path.write_bytes(picture(form="TIFF"))
    page.get_by_label("Choose a file").set_input_files(path)
    expect(page.locator("#file-name")).to_have_text(path.name)
    page.get_by_label("What do you want to know?").focus()
    page.keyboard.type("Is it <i>large</i>?")
    page.keyboard.press("Tab")
    for text in ("yes", "no"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")  # to the option's own button
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # from within an option: the form is sent
    expect(page.locator("#answer")).to_have_text("B. no")
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


def test_an_error_of_the_gateway_is_shown_in_words(page: Page, upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    page.get_by_label("Choose a file").set_input_files(path)
    page.get_by_label("What do you want to know?").fill("What?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("not PNG, JPEG, WebP, TIFF or BMP")
    upstream.downstream = 503
    choose(page, "MRI")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Try again in")
    upstream.downstream = "reply"
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("#answer")).to_be_visible()


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
    expect(page.locator("#degraded")).to_contain_text("asked without guidance")
    expect(page.locator("#guidance")).to_have_text("none was used")
    upstream.policy, upstream.version = "reply", "policy-unheard-of"
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("meter", name="Not calibrated: as the model stated it")).to_be_visible()
    expect(page.locator("#decision")).to_have_text("Leave this one to a person")
    expect(page.locator("#degraded")).to_contain_text("No calibrator fits")
    upstream.text = "I would rather not say. <img src=x onerror=alert(1)>"
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#answer")).to_have_text("No answer could be read")
    expect(page.locator("#explanation")).to_have_text(upstream.text)


def test_what_was_proved_and_the_options_that_remain_are_shown(
    browser: Browser, make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.guards.publish(make_guard("consistency", None, options=True))
    with make_gateway(registry=registry.root, methods=("cgp", "consistency"), coverage=0.85) as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        choose(page, "Ultrasound")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#answer")).to_be_visible()
        expect(page.locator("#options-left")).to_be_hidden()
        page.get_by_text("More", exact=True).click()
        page.locator("#method").select_option("consistency")
        page.locator("#max-risk").fill("10")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#options-left")).to_contain_text(
            "Options left: B. The right option is among these for 85 %"
        )
        expect(page.locator("#decision")).to_have_text("Confident enough to answer")
        expect(page.locator("#basis")).to_contain_text("at most 10 % of the answers are wrong, with 95 % certainty")
        page.close()


def test_an_unusual_question_is_said_to_be_one(
    browser: Browser, make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.9))
    with make_gateway(registry=registry.root) as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        choose(page, "Ultrasound")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#decision")).to_have_text("Confident enough to answer")
        expect(page.locator("#unusual")).to_be_hidden()
        registry.references.publish(make_reference())
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#decision")).to_have_text("Leave this one to a person")
        expect(page.locator("#unusual")).to_contain_text("Unusual question: the picture is unlike those")
        expect(page.locator("#basis")).to_be_empty()
        expect(page.locator("#bars")).to_contain_text("Not calibrated: as the model stated it")
        expect(page.locator("#calibration")).to_have_text(
            "Not calibrated: the correction was checked on other questions."
        )
        page.close()


def test_a_question_can_be_cancelled(page: Page, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    choose(page, "Ultrasound")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert upstream.arrived.acquire(timeout=20)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_have_text("Cancelled.")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    assert upstream.hung_up.wait(20)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_width_holds_everything_and_can_be_read(
    page: Page, scheme: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 320, "height": 700})
    choose(page, "Ultrasound")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#answer")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, textarea, select, button')].filter(e => !(e.labels?.length"
        " || e.ariaLabel || e.textContent.trim())).map(e => e.outerHTML)"
    )
    assert unnamed == []
    assert page.evaluate(_LOW_CONTRAST) == []


# WCAG 2.2, success criterion 1.4.3: text has a contrast of 4.5 to 1 with what is behind it.
_LOW_CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.disabled || !e.checkVisibility() || e.closest('.visually-hidden')) continue;
    const [one, two] = [luminance(parse(getComputedStyle(e).color)), luminance(behind(e))].sort((a, b) => b - a);
    if ((one + 0.05) / (two + 0.05) < 4.5) low.push(`${e.tagName} ${e.textContent.trim().slice(0, 40)}`);
  }
  return low;
}"""
