"""DICOM objects on the page: any frame, any window, and what is seen is what the model is asked about."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from tests.prompt4trust.pictures.dicom.objects import bundled_file, with_pixels, written
from tests.services.gateway.static.page.actions import ask, assert_accessible
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER

SHADE = "([x, y]) => document.getElementById('viewer-canvas').getContext('2d').getImageData(x, y, 1, 1).data[0]"


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """An object of five frames, each brighter to the right by as much as its number says."""
    ramp = np.tile(np.arange(32, dtype=np.int16), (32, 1))
    path = tmp_path / "loop.dcm"
    stack = np.stack([ramp * number for number in range(1, 6)])
    path.write_bytes(written(with_pixels(stack, WindowCenter="80", WindowWidth="160")))
    return path


def file_of(url: object) -> bytes:
    return base64.b64decode(str(url).partition(",")[2])


def asked_about(upstream: Upstream) -> bytes:
    """The file that the model was sent last."""
    content = upstream.asked[-1]["messages"][-1]["content"]
    return file_of(next(part["image_url"]["url"] for part in content if part["type"] == "image_url"))


def seen(page: Page) -> bytes:
    """The file that the page shows, once it is that of the chosen part."""
    expect(page.locator("#enlarge")).to_have_attribute("aria-busy", "false")
    return file_of(page.locator("#preview").get_attribute("src"))


def shades(file: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(file)) as image:
        return np.asarray(image.convert("L"))


def choose(page: Page, path: Path) -> None:
    page.get_by_label("Choose a file").set_input_files(path)
    page.get_by_label("What do you want to know?").fill("What?")
    expect(page.locator("#enlarge")).to_be_visible()


def test_a_slice_is_asked_about_with_the_window_that_was_set(page: Page, upstream: Upstream) -> None:
    choose(page, bundled_file("CT_small.dcm"))
    expect(page.locator("#part")).to_be_hidden()  # one frame, and its own window
    own = seen(page)
    ask(page)
    assert asked_about(upstream) == own
    page.locator("#enlarge").press("Enter")
    expect(page.locator("#viewer-heading")).to_have_text("What the model saw")
    box = page.locator("#viewer-canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 40, box["y"] + box["height"] / 2 - 60)
    page.mouse.up()
    expect(page.locator("#viewer-heading")).to_have_text("What the model will see: window and level were changed")
    expect(page.locator("#viewer-takes")).to_be_visible()
    assert_accessible(page)
    points = [(20, 30), (64, 64), (100, 90), (60, 20)]
    previewed = [page.evaluate(SHADE, list(point)) for point in points]
    page.keyboard.press("Escape")
    expect(page.locator("#result")).to_be_hidden()  # the answer was about another window
    windowed = seen(page)
    assert windowed != own
    assert np.abs([int(shades(windowed)[y, x]) for x, y in points] - np.array(previewed)).max() <= 2
    ask(page)
    assert asked_about(upstream) == windowed
    expect(page.locator("#earlier-list summary img")).to_have_count(1)
    assert file_of(page.locator("#earlier-list summary img").get_attribute("src")) == own
    page.get_by_role("button", name="Back to the picture's own window").press("Enter")
    expect(page.locator("#part")).to_be_hidden()
    assert seen(page) == own


def test_window_and_frame_are_set_by_keyboard_alone(page: Page, upstream: Upstream, frames: Path) -> None:
    choose(page, frames)
    slider = page.get_by_role("slider", name="Frame")
    expect(slider).to_have_attribute("aria-valuetext", "3 of 5")
    expect(page.locator("#file-name")).to_contain_text("frame 3 of 5")
    middle = seen(page)
    slider.press("End")
    slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "4 of 5")
    expect(page.locator("#file-name")).to_contain_text("frame 4 of 5")
    assert_accessible(page)
    fourth = seen(page)
    assert shades(fourth)[0, 31] > shades(middle)[0, 31]
    ask(page)
    assert asked_about(upstream) == fourth
    page.locator("#enlarge").press("Enter")
    page.locator("#viewer-width").press("Home")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Back to the picture's own window")).to_be_visible()
    narrow = seen(page)
    assert set(np.unique(shades(narrow))) <= {0, 255}
    slider.press("Home")
    expect(page.locator("#file-name")).to_contain_text("frame 1 of 5")
    assert seen(page) != narrow
    with page.expect_response(lambda reply: reply.url.endswith("/vqa")) as reply:
        ask(page)
    dicom = reply.value.json()["picture"]["dicom"]
    assert (dicom["frame"], dicom["window_from"]) == (1, "request")
    assert asked_about(upstream) == seen(page)


def test_a_frame_that_is_asked_about_before_it_is_shown_is_the_chosen_one(
    page: Page, upstream: Upstream, frames: Path
) -> None:
    choose(page, frames)
    seen(page)
    page.route("**/v1/picture*", lambda route: route.abort())
    page.get_by_role("slider", name="Frame").press("End")
    with page.expect_response(lambda reply: reply.url.endswith("/vqa")) as reply:
        ask(page)
    assert reply.value.json()["picture"]["dicom"]["frame"] == 5
    expect(page.locator("#enlarge")).to_be_hidden()  # it would show another frame
    expect(page.locator("#result figcaption")).to_have_text("Picture: loop.dcm")


def test_another_picture_has_no_part(page: Page, upstream: Upstream, frames: Path) -> None:
    choose(page, frames)
    expect(page.get_by_role("slider", name="Frame")).to_be_visible()
    page.get_by_role("button", name="Ultrasound", exact=True).click()
    expect(page.locator("#file-name")).to_contain_text("ultrasound.png: PNG")
    expect(page.locator("#part")).to_be_hidden()
    with page.expect_response(lambda reply: reply.url.endswith("/vqa")) as reply:
        ask(page)
    assert reply.value.json()["picture"]["dicom"] is None
