"""A drawing by itself in a real browser: coloured without any page, in light and dark, and on a page of others."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page

from prompt4trust.plots import DARK, LIGHT, legend_svg, rules, unstyled
from tests.prompt4trust.plots.test_plots import DRAWINGS
from tests.support.browser import IN_BROWSER, KeptBrowser

pytestmark = IN_BROWSER
LEGEND: Callable[[str], str] = lambda name: legend_svg(0)  # noqa: E731 - as those of DRAWINGS


@pytest.fixture(scope="module")
def page(kept_browser: KeptBrowser) -> Iterator[Page]:
    with kept_browser.lent() as browser:
        yield browser.new_page(viewport={"width": 800, "height": 400})


def colours(page: Page, file: Path, **media: Any) -> Counter[str]:
    """Count the pixels of each colour on a screen that shows a file."""
    page.emulate_media(**{"media": "screen", "color_scheme": "light", "forced_colors": "none", **media})
    page.goto(file.as_uri())
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        listed = shot.convert("RGB").getcolors(maxcolors=800 * 400) or []
    return Counter({f"#{red:02x}{green:02x}{blue:02x}": n for n, (red, green, blue) in listed})  # type: ignore[misc]


@pytest.mark.parametrize("draw", [*DRAWINGS, LEGEND])
def test_a_drawing_that_is_saved_alone_has_its_colours(page: Page, tmp_path: Path, draw: Callable[[str], str]) -> None:
    file = tmp_path / "drawing.svg"
    file.write_text(draw("cgp"), encoding="utf-8")
    marks = ["bar", *(name for name in LIGHT if name[0] == "s" and name != "soft")]
    for theme, scheme in ((LIGHT, "light"), (DARK, "dark")):
        seen = colours(page, file, color_scheme=scheme)
        assert seen.most_common(1)[0][0] == theme["paper"]
        assert sum(seen[theme[name]] for name in marks) > 10
        assert "#000000" not in seen
    printed = colours(page, file, color_scheme="dark", media="print")
    assert printed.most_common(1)[0][0] == LIGHT["paper"]
    forced = colours(page, file, forced_colors="active")
    assert not {*LIGHT.values()} & {each for each, _ in forced.most_common() if each != LIGHT["paper"]}


def test_several_on_a_page_look_as_each_alone_and_touch_nothing_else(page: Page, tmp_path: Path) -> None:
    body = "<!doctype html><meta charset='utf-8'><style>body { margin: 0 }</style>"
    drawn = "".join(draw("cgp") for draw in DRAWINGS)
    alone, once, beside = (tmp_path / f"{name}.html" for name in ("alone", "once", "beside"))
    alone.write_text(f"{body}{drawn}", encoding="utf-8")
    bare = "".join(unstyled(draw("cgp")) for draw in DRAWINGS)
    assert "<style" not in bare
    once.write_text(f"{body}<style>{rules(LIGHT)}</style>{bare}", encoding="utf-8")
    assert colours(page, alone) == colours(page, once)
    beside.write_text(f"{body}<p class='bar line s0 strong'>words</p><div hidden>{drawn}</div>", encoding="utf-8")
    assert set(colours(page, beside)).isdisjoint({LIGHT["bar"], LIGHT["s0"], LIGHT["ink"]})
