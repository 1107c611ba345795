"""The picture as the model saw it: shown before and beside the answer, enlarged, and windowed for a closer look."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.services.gateway.conftest import picture
from tests.services.gateway.static.page.actions import ask, ask_about, assert_accessible
from tests.services.gateway.upstream import Upstream
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A TIFF of 12 bits, brighter from left to right, with one bright spot beyond the window."""
    values = np.tile(np.linspace(0, 1000, 64), (48, 1)).astype(np.uint16)
    values[0, 0] = 4095
    file = BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    path = tmp_path / "deep.tiff"
    path.write_bytes(file.getvalue())
    return path


def shades(page: Page, *points: tuple[int, int]) -> list[int]:
    """Grey of pixels of the enlarged picture."""
    read = (
        "points => points.map(([x, y]) => "
        "document.getElementById('viewer-canvas').getContext('2d').getImageData(x, y, 1, 1).data[0])"
    )
    found: list[int] = page.evaluate(read, [list(each) for each in points])
    return found


def test_deep_grey_is_shown_as_the_model_saw_it_and_windowed_as_one_likes(
    page: Page, upstream: Upstream, deep: Path
) -> None:
    page.get_by_label("Choose a file").set_input_files(deep)
    expect(page.locator("#file-name")).to_have_text("deep.tiff: TIFF, 64 × 48, grey from 0 to 1000")
    page.get_by_label("What do you want to know?").fill("What?")
    ask(page)
    expect(page.locator("#result figcaption")).to_have_text("What the model saw: TIFF, 64 × 48, grey from 0 to 1000")
    page.get_by_role("button", name="What the model saw of deep.tiff. Enlarge").click()
    heading = page.locator("#viewer-heading")
    expect(heading).to_have_text("What the model saw")
    assert shades(page, (0, 1), (63, 1)) == [0, 255]
    page.locator("#viewer-width").fill("4095")
    expect(heading).to_have_text("Not what the model saw: window and level were changed")
    dark, bright = shades(page, (63, 1), (0, 0))
    assert dark < 200 < bright
    assert_accessible(page)
    page.get_by_role("button", name="Back to what the model saw").click()
    expect(heading).to_have_text("What the model saw")
    assert shades(page, (0, 1), (63, 1)) == [0, 255]
    box = page.locator("#viewer-canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 60)
    page.mouse.up()
    expect(heading).to_have_text("Not what the model saw: window and level were changed")
    assert shades(page, (63, 1))[0] < 255
    # The card beside the answer stays what the model saw.
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#result figcaption")).to_contain_text("What the model saw")


def test_values_of_white_is_zero_are_dark_where_they_are_large(page: Page, upstream: Upstream, tmp_path: Path) -> None:
    values = np.tile(np.linspace(0, 1000, 64), (48, 1)).astype(np.uint16)
    path = tmp_path / "inverted.tiff"
    Image.fromarray(values).save(path, "TIFF", tiffinfo={262: 0})
    page.get_by_label("Choose a file").set_input_files(path)
    page.get_by_role("button", name="Enlarge").click()
    assert shades(page, (0, 1), (63, 1)) == [255, 0]
    page.locator("#viewer-width").fill("999")
    first, last = shades(page, (0, 1), (63, 1))
    assert first > 250
    assert last < 5


def test_a_picture_is_enlarged_by_keyboard_and_by_eight(page: Page, upstream: Upstream) -> None:
    ask_about(page)
    page.get_by_role("button", name="What the model saw of ultrasound.png. Enlarge").press("Enter")
    expect(page.get_by_role("dialog", name="What the model saw")).to_be_visible()
    expect(page.locator("#viewer-window")).to_be_hidden()  # eight bits are all that there is
    zoom = page.get_by_label("Zoom")
    zoom.press("End")
    assert page.locator("#viewer-canvas").evaluate("e => e.offsetWidth") == 8 * 112
    frame = page.locator("#viewer-frame")
    assert frame.evaluate("e => e.scrollHeight > e.clientHeight")
    page.get_by_role("button", name="Close").press("Enter")
    expect(page.get_by_role("button", name="What the model saw of ultrasound.png. Enlarge")).to_be_focused()


def test_a_large_picture_is_shown_at_the_size_that_the_model_got(
    page: Page, upstream: Upstream, tmp_path: Path
) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(picture(size=(2048, 1024)))
    page.get_by_label("Choose a file").set_input_files(path)
    expect(page.locator("#file-name")).to_have_text("large.png: PNG, 2048 × 1024, shown to the model at 1024 × 512")
    assert page.locator("#preview").evaluate("e => e.decode().then(() => [e.naturalWidth, e.naturalHeight])") == [
        1024,
        512,
    ]
