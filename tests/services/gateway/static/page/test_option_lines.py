"""Options that were typed into the question's lines: the card tells what its letters mean, as of options in fields."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.services.gateway.conftest import picture
from tests.services.gateway.static.page.actions import ask
from tests.services.gateway.static.page.conftest import OpenPage
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER

LINES = "Which shape?\nA) Round\nB) Oval\n\nLook at the border."


def ask_in_lines(page: Page, folder: Path, question: str = LINES) -> None:
    """Ask a question that is typed with its options."""
    path = folder / "mine.png"
    path.write_bytes(picture())
    page.get_by_label("Choose a file").set_input_files(path)
    page.get_by_label("What do you want to know?").fill(question)
    ask(page)


def test_the_card_shows_the_options_of_the_questions_lines(page: Page, upstream: Upstream, tmp_path: Path) -> None:
    ask_in_lines(page, tmp_path)
    card = page.locator("#result .card")
    expect(card.locator(".answer")).to_have_text("B. Oval")
    expect(card.locator(".asked-options li")).to_have_text(["A. Round", "B. Oval"])
    expect(card.locator(".asked-options .chosen")).to_have_text("B. Oval")
    expect(card.locator(".asked-question")).to_have_text("Which shape? Look at the border.")
    expect(page.get_by_label("What do you want to know?")).to_have_value(LINES)
    # Earlier, too.
    page.get_by_label("What do you want to know?").fill("Is it large?")
    earlier = page.locator("#earlier-list > li")
    expect(earlier.locator("summary").first).to_contain_text("Which shape? Look at the border.")
    earlier.locator("summary").first.click()
    expect(earlier.locator(".asked-options li")).to_have_text(["A. Round", "B. Oval"])
    page.emulate_media(media="print")
    expect(earlier.locator(".asked-options li")).to_have_text(["A. Round", "B. Oval"])


def test_the_copy_names_them(open_page: OpenPage, guarded_url: str, upstream: Upstream, tmp_path: Path) -> None:
    with open_page(guarded_url) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        ask_in_lines(page, tmp_path)
        page.get_by_role("button", name="Copy").click()
        expect(page.locator("#result .card-actions")).to_contain_text("Copied.")
        copied = page.evaluate("navigator.clipboard.readText()")
    assert "Question: Which shape?\n\nLook at the border.\n  A. Round\n  B. Oval\n" in copied


def test_options_in_fields_leave_the_question_as_it_is(page: Page, upstream: Upstream, tmp_path: Path) -> None:
    page.get_by_label("Option A", exact=True).fill("A: Round")
    page.get_by_label("Option B", exact=True).fill("B: Oval")
    ask_in_lines(page, tmp_path)
    card = page.locator("#result .card")
    expect(card.locator(".asked-question")).to_have_text("Which shape? A) Round B) Oval Look at the border.")
    # Their own letters are taken off, and not shown twice.
    expect(card.locator(".asked-options li")).to_have_text(["A. Round", "B. Oval"])


def test_lines_that_may_be_options_and_are_not_clear_are_refused(
    page: Page, upstream: Upstream, tmp_path: Path
) -> None:
    path = tmp_path / "mine.png"
    path.write_bytes(picture())
    page.get_by_label("Choose a file").set_input_files(path)
    page.get_by_label("What do you want to know?").fill("Which?\nA: Round\nC: Oval")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("write A:, B:, C:, ...")
    assert upstream.asked == []
