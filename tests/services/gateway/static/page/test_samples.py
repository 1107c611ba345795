"""Samples of a folder that the operator names, on the page in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.prompt4trust.pictures.dicom.objects import bundled_file
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.static.page.actions import ask, assert_accessible, choose
from tests.services.gateway.static.page.conftest import OpenPage
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER


def test_a_picture_of_the_folder_is_asked_about(
    make_gateway: MakeGateway, open_page: OpenPage, upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "scan.png").write_bytes(picture())
    header = "Figure_path,Question,Answer,Choice A,Choice B,Answer_label"
    (tmp_path / "questions.csv").write_text(f"{header}\nscan.png,Which side?,Left,Left,Right,A\n")
    upstream.text = "The answer is A with confidence 95."
    with make_gateway(page_samples_folder=tmp_path) as url, open_page(url) as page:
        assert page.locator("#samples button").count() == 1
        choose(page, "scan")
        expect(page.get_by_label("What do you want to know?")).to_have_value("Which side?")
        expect(page.locator("#file-name")).to_contain_text("scan.png: PNG")
        assert_accessible(page)
        ask(page)
        expect(page.locator("#result .answer")).to_have_text("A. Left")


def test_a_sample_without_a_question_leaves_what_was_typed(
    make_gateway: MakeGateway, open_page: OpenPage, tmp_path: Path
) -> None:
    (tmp_path / "ct.dcm").write_bytes(bundled_file("CT_small.dcm").read_bytes())
    with make_gateway(page_samples_folder=tmp_path) as url, open_page(url) as page:
        page.get_by_label("What do you want to know?").fill("Is there a fracture?")
        page.get_by_label("Option A", exact=True).fill("Yes")
        choose(page, "ct")
        expect(page.locator("#file-name")).to_contain_text("ct.dcm: DICOM")
        expect(page.get_by_label("What do you want to know?")).to_have_value("Is there a fracture?")
        expect(page.get_by_label("Option A", exact=True)).to_have_value("Yes")
