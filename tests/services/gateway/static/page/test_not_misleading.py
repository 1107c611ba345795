"""The page's content cannot be taken for what it is not: stale answers, guesses, colours, roundings."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from prompt4trust.shares import in_percent, of_hundred
from services.common.registry.directory import Registry
from tests.services.gateway.answering.test_selection import make_guard, said
from tests.services.gateway.answering.test_shift import make_reference
from tests.services.gateway.conftest import MakeGateway, make_calibrator
from tests.services.gateway.static.page.actions import ask, ask_about, choose
from tests.services.gateway.static.page.conftest import OpenPage
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER

DEFERRED = "No reliable answer: judge for yourself"


def no_guess(text: str) -> bool:
    """Whether a text says nothing of the scripted model's answer."""
    return not any(word in text for word in ("answer is B", "guess, not reliable", "← answer"))


@pytest.mark.parametrize("change", ["picture", "question", "option", "removed option", "added method", "risk", "error"])
def test_any_change_clears_the_answer(guarded: Page, upstream: Upstream, change: str) -> None:
    page = guarded
    ask_about(page)
    expect(page.locator("#result .card.sure .answer")).to_have_text("B. Oval")
    if change == "picture":
        choose(page, "CT")
    elif change == "question":
        page.get_by_label("What do you want to know?").press_sequentially("!")
    elif change == "option":
        page.get_by_label("Option B", exact=True).fill("Square")
    elif change == "removed option":
        page.get_by_role("button", name="Remove option D").click()
    elif change == "error":
        upstream.downstream = 503
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
    else:
        page.get_by_text("More", exact=True).click()
        if change == "risk":
            page.locator("#max-risk").fill("5")
        else:
            page.locator("#method").select_option("verbalized")
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator(".answer:visible")).to_have_count(0)
    expect(page.locator("#waiting")).to_be_visible()
    # It is kept, folded, under its own question and without its colour.
    earlier = page.locator("#earlier-list > li")
    expect(earlier).to_have_count(1)
    expect(earlier).to_contain_text("What shape are the findings?")
    earlier.locator("summary").first.click()
    expect(earlier.locator(".asked-question")).to_have_text("What shape are the findings?")
    green = "getComputedStyle(document.querySelector('.old .decision')).backgroundColor"
    assert page.evaluate(green) == "rgba(0, 0, 0, 0)"


def test_an_answer_on_its_way_to_a_question_that_changed_never_shows(page: Page, upstream: Upstream) -> None:
    upstream.downstream = "held"
    choose(page, "Ultrasound")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert upstream.arrived.acquire(timeout=20)
    page.get_by_label("What do you want to know?").fill("Another?")
    expect(page.locator("#status")).to_contain_text("as the question was changed")
    upstream.release.set()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    expect(page.locator("#result")).to_be_hidden()


def test_a_deferral_says_so_first_and_folds_the_guess_away(guarded: Page, upstream: Upstream) -> None:
    page = guarded
    upstream.text = said(60)
    ask_about(page)
    result = page.locator("#result")
    expect(page.get_by_role("region", name=DEFERRED)).to_be_visible()
    expect(result.locator(".answer")).to_have_count(0)
    expect(result.locator(".chosen")).to_have_count(0)
    expect(result.locator(".guessed")).to_be_hidden()
    expect(result.locator(".explanation")).to_be_hidden()
    assert no_guess(result.inner_text())
    status = page.locator("#status")
    expect(status).to_contain_text(DEFERRED)
    assert no_guess(status.inner_text())
    expect(result.get_by_text("Of 100 guesses like the model's here")).to_be_hidden()
    result.get_by_text("Show what the model guessed").click()
    expect(result.get_by_text("Of 100 guesses like the model's here")).to_be_visible()
    expect(result.locator(".guessed")).to_have_text("The model's guess, not reliable: B. Oval")
    # The fold is closed again with the next question.
    ask(page)
    expect(result.locator(".guessed")).to_be_hidden()
    expect(page.locator("#earlier-list > li > details > summary .outcome")).to_have_text(DEFERRED)


def test_copying_a_deferral_copies_no_guess(open_page: OpenPage, guarded_url: str, upstream: Upstream) -> None:
    upstream.text = said(60)
    with open_page(guarded_url) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        ask_about(page)
        page.get_by_role("button", name="Copy").click()
        expect(page.locator("#result .card-actions")).to_contain_text("Copied.")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(DEFERRED)
        assert "Question: What shape are the findings?" in copied
        assert "  B. Oval" in copied  # as one of the options
        assert no_guess(copied)
        page.get_by_text("Show what the model guessed").click()
        page.keyboard.press("Control+a")
        page.keyboard.press("Control+c")
        everything = page.evaluate("navigator.clipboard.readText()")
        assert DEFERRED in everything
        assert no_guess(everything)
        upstream.text = said(95)
        ask(page)
        page.locator("#result").get_by_role("button", name="Copy").click()
        expect(page.locator("#result .card-actions")).to_contain_text("Copied.")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("Answer: B. Oval\nGuarantee: at most 10 % of such answers are wrong\n")


def test_on_paper_a_guess_is_left_out_or_called_one(guarded: Page, upstream: Upstream) -> None:
    page = guarded
    upstream.text = said(60)
    ask_about(page)
    page.emulate_media(media="print")
    expect(page.locator("#result .headline")).to_be_visible()
    expect(page.locator("#result .asked img")).to_be_visible()
    for gone in (".guessed", ".guess summary", "#ask", ".card-actions", "#earlier"):
        expect(page.locator(gone)).to_be_hidden()
    tops = page.evaluate("['#result', 'header'].map(e => document.querySelector(e).getBoundingClientRect().top)")
    assert tops[0] < tops[1]
    page.emulate_media(media="screen")
    page.get_by_text("Show what the model guessed").click()
    page.emulate_media(media="print")
    expect(page.locator(".guessed")).to_have_text("The model's guess, not reliable: B. Oval")


@pytest.mark.parametrize(
    ("stated", "risk", "tone", "words"),
    [
        (95, "", "sure", "Guarantee: at most 10 % of such answers are wrong"),
        (95, "30", "given", "Guarantee: at most 30 % of such answers are wrong"),
        (60, "50", "given", "Guarantee: at most 50 % of such answers are wrong"),
    ],
)
def test_green_takes_a_guarantee_and_a_small_risk(
    guarded: Page, upstream: Upstream, stated: int, risk: str, tone: str, words: str
) -> None:
    page = guarded
    upstream.text = said(stated)
    choose(page, "Ultrasound")
    page.get_by_text("More", exact=True).click()
    expect(page.locator("#risk-default")).to_have_text("(empty: 10 %)")
    page.locator("#max-risk").fill(risk)
    ask(page)
    expect(page.locator(f"#result .card.{tone} .decision")).to_have_text(words)
    colour = "e => getComputedStyle(e.querySelector('.decision')).backgroundColor"
    green = page.locator("#result").evaluate(colour) == "rgb(11, 110, 102)"
    assert green == (tone == "sure")


def test_a_deferral_is_not_green(guarded: Page, upstream: Upstream) -> None:
    upstream.text = said(60)
    ask_about(guarded)
    expect(guarded.locator("#result .card.deferred")).to_be_visible()
    painted = "e => [e, ...e.querySelectorAll('*')].map(it => getComputedStyle(it).backgroundColor)"
    assert "rgb(11, 110, 102)" not in guarded.locator("#result").evaluate(painted)


def test_a_coin_s_toss_of_an_answer_is_not_green(page: Page) -> None:
    ask_about(page)  # answered at 53 % by a gateway that was told to, without a guard
    card = page.locator("#result .card.unproved")
    expect(card.locator(".decision")).to_have_text("No guarantee")
    expect(card.locator(".basis")).to_contain_text("a threshold, not a guarantee")
    assert card.locator(".decision").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 243, 220)"
    page.get_by_label("What do you want to know?").fill("Another?")
    expect(page.locator("#earlier-list .outcome")).to_have_text("Answered then: B. Oval (No guarantee)")


def test_without_a_guard_the_default_risk_is_a_stricter_threshold(
    open_page: OpenPage, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with make_gateway(max_risk=0.1) as url, open_page(url) as page:
        ask_about(page)
        expect(page.locator("#result .headline")).to_have_text(DEFERRED)
        expect(page.locator("#result .basis")).to_contain_text("below 0.9, the threshold for the accepted risk")


@pytest.mark.parametrize(
    ("share", "percent", "counted"),
    [
        (0.9957, "more than 99 %", "more than 99 were"),
        (1.0, "more than 99 %", "more than 99 were"),
        (0.99, "99 %", "about 99 were"),
        (0.824, "82 %", "about 82 were"),
        (0.992, "more than 99 %", "more than 99 were"),
        (0.125, "13 %", "about 13 were"),
        (0.01, "1 %", "about 1 was"),
        (0.004, "less than 1 %", "fewer than 1 was"),
        (0.0, "less than 1 %", "fewer than 1 was"),
    ],
)
def test_no_share_is_rounded_to_certainty(page: Page, share: float, percent: str, counted: str) -> None:
    words = page.evaluate(
        "async (share) => { const it = await import('/static/page/numbers.js');"
        " return [it.percent(share), it.ofHundred(share)] }",
        share,
    )
    assert words == [percent, counted]
    assert words == [in_percent(share), of_hundred(share)]


def test_what_was_proved_and_the_options_that_remain_are_shown(
    open_page: OpenPage, make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.guards.publish(make_guard("consistency", None, options=True))
    methods = ("cgp", "consistency")
    with make_gateway(registry=registry.root, methods=methods, coverage=0.85) as url, open_page(url) as page:
        ask_about(page)
        expect(page.locator("#result .options-left")).to_have_count(0)
        page.get_by_text("More", exact=True).click()
        page.locator("#method").select_option("consistency")
        page.locator("#max-risk").fill("10")
        ask(page)
        expect(page.locator("#result .options-left")).to_contain_text(
            "Options left: B. The right option is among these for 85 %"
        )
        # A guarantee, but no calibrator: not green, and nothing in counts.
        expect(page.locator("#result .card.given .decision")).to_contain_text("at most 10 % of such answers are wrong")
        statement = page.locator("#result .statement")
        expect(statement).to_contain_text("B (Oval). How many of 100 answers like this one are right is not known")
        expect(statement).to_contain_text("Guarantee: at most 10 % of such answers are wrong.")
        expect(statement).not_to_contain_text("right. ")
        expect(page.locator("#result .basis")).to_contain_text(
            "at most 10 % of the answers are wrong, with 95 % certainty"
        )


def test_an_unusual_question_is_said_to_be_one(
    open_page: OpenPage, make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.9))
    with make_gateway(registry=registry.root) as url, open_page(url) as page:
        ask_about(page)
        expect(page.locator("#result .answer")).to_be_visible()
        registry.references.publish(make_reference())
        ask(page)
        result = page.locator("#result")
        expect(result.locator(".headline")).to_have_text(DEFERRED)
        expect(result.locator(".basis")).to_contain_text("Unusual question: the picture is unlike those")
        expect(result.locator(".calibration")).to_have_text(
            "Not calibrated: the correction was checked on other questions."
        )
        expect(result.locator(".guess .bars")).to_contain_text("Not calibrated: as the model stated it")
