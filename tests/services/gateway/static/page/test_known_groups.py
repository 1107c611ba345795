"""Groups of a question on the page: offered where evidence tells groups apart, and sent with the question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.common.registry.directory import Registry
from tests.prompt4trust.pictures.dicom.objects import ct, written
from tests.services.gateway.conftest import MakeGateway, make_calibrator
from tests.services.gateway.static.page.actions import ask, assert_accessible, choose
from tests.services.gateway.static.page.conftest import OpenPage
from tests.services.gateway.test_promises_by_group import make_guard
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER
SUMMARY = """async () => {
  const [{ state }, { summary }] = [await import("/static/page/state.js"), await import("/static/page/summary.js")];
  return summary(state.shown.asked, state.shown.reply);
}"""


@pytest.fixture
def by_modality(open_page: OpenPage, make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> Iterator[Page]:
    """The page of a gateway whose guarantee is by modality."""
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.97))
    registry.guards.publish(make_guard())
    with make_gateway(registry=registry.root, max_risk=0.1) as url, open_page(url) as page:
        yield page


def test_a_group_that_is_known_brings_its_own_guarantee(by_modality: Page) -> None:
    page = by_modality
    known = page.locator("#known")
    expect(known).not_to_have_attribute("open", "")
    expect(page.locator("#known-chosen")).to_have_text("(nothing yet)")
    choose(page, "CT")
    ask(page)
    expect(page.locator("#result .basis")).to_contain_text("does not name its modality")

    known.locator("summary").click()
    modality = page.get_by_label("modality", exact=True)
    assert modality.locator("option").all_text_contents() == ["not known", "CT", "MR", "US"]
    modality.select_option("CT")
    expect(page.locator("#result")).to_be_hidden()  # the answer was one to another question
    expect(page.locator("#known-chosen")).to_have_text("(modality CT)")
    assert_accessible(page)
    ask(page)
    expect(page.locator("#result .statement")).to_contain_text(
        "Guarantee: at most 10 % of such answers in its group are wrong"
    )
    expect(page.locator("#result .asked-known")).to_have_text("Known: modality CT")


def test_another_picture_is_another_patient(by_modality: Page) -> None:
    page = by_modality
    choose(page, "CT")
    page.locator("#known summary").click()
    page.get_by_label("modality", exact=True).select_option("CT")
    choose(page, "MRI")
    expect(page.get_by_label("modality", exact=True)).to_have_value("")
    expect(page.locator("#known-chosen")).to_have_text("(nothing yet)")


def test_the_card_says_what_was_applied_and_that_the_picture_overruled(
    open_page: OpenPage, make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.97))
    registry.guards.publish(make_guard())
    scan = tmp_path / "scan.dcm"
    scan.write_bytes(written(ct()))
    told = {
        "MR": "Known: modality CT. The picture's file overruled what was chosen: modality MR",
        "CT": "Known: modality CT",
        "": "Known: modality CT",
    }
    with (
        make_gateway(registry=registry.root, max_risk=0.1, dicom_modalities={"MR": "MRI"}) as url,
        open_page(url) as page,
    ):
        choose(page, "CT")  # for its question and options
        page.get_by_label("Choose a file").set_input_files(scan)
        page.locator("#known summary").click()
        for chosen, words in told.items():
            page.get_by_label("modality", exact=True).select_option(chosen)
            ask(page)
            expect(page.locator("#result .asked-known")).to_have_text(words)
            assert words in page.evaluate(SUMMARY)


def test_a_choice_that_no_evidence_is_of_is_not_called_applied(by_modality: Page) -> None:
    page = by_modality
    choose(page, "CT")
    page.locator("#known summary").click()
    page.get_by_label("modality", exact=True).select_option("US")
    ask(page)
    expect(page.locator("#result .basis")).to_contain_text("only 20 were checked")
    expect(page.locator("#result .asked-known")).to_have_text("Chosen, but not applied: modality US")


def test_what_is_chosen_ahead_of_the_picture_stays_and_no_refused_file_takes_it(
    by_modality: Page, tmp_path: Path
) -> None:
    page = by_modality
    modality, file = page.get_by_label("modality", exact=True), page.get_by_label("Choose a file")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    page.locator("#known summary").click()
    modality.select_option("CT")

    def refuse() -> None:
        file.set_input_files(broken)
        expect(page.locator("#problem")).to_be_visible()

    refuse()
    expect(modality).to_have_value("CT")
    choose(page, "CT")
    expect(page.locator("#enlarge")).to_be_visible()
    expect(modality).to_have_value("CT")
    refuse()
    expect(modality).to_have_value("CT")  # still that of the picture before,
    choose(page, "MRI")
    expect(page.locator("#enlarge")).to_be_visible()
    expect(modality).to_have_value("")  # which the next one takes back
    refuse()
    modality.select_option("MR")  # ahead of the next
    choose(page, "CT")
    expect(page.locator("#enlarge")).to_be_visible()
    expect(modality).to_have_value("MR")


def test_nothing_is_asked_for_where_nothing_is_told_apart(page: Page) -> None:
    expect(page.locator("#known")).to_be_hidden()
