"""The diagrams: places against hand calculations, valid XML, and nothing that a name could smuggle in."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from prompt4trust.calibration import reliability
from prompt4trust.plots import (
    confidence_histogram_svg,
    dots_svg,
    gaps_svg,
    history_svg,
    legend_svg,
    oracle_curve,
    random_curve,
    reliability_svg,
    risk_coverage_svg,
)
from prompt4trust.plots.svg import MARKERS, apart, marker, shorten, ticks

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '<script>alert(1)</script> & "x" \'\x00\x0b\ud800]]>'


def parsed(drawing: str) -> ElementTree.Element:
    """Parse as XML, in which every tag must be closed and every character allowed."""
    root = ElementTree.fromstring(drawing)  # noqa: S314 - our own
    assert root.tag == f"{SVG}svg"
    return root


def of_class(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [each for each in root.iter() if kind in (each.get("class") or "").split()]


def numbers(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.get(name, "nan")) for name in names]


def points(element: ElementTree.Element) -> list[tuple[float, ...]]:
    return [tuple(map(float, pair.split(","))) for pair in element.get("points", "").split()]


def texts(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


DRAWINGS: list[Callable[[str], str]] = [
    lambda name: reliability_svg(reliability([0.2, 0.9], [False, True]), name, [None] * 9 + [(0.5, 1.0)]),
    lambda name: confidence_histogram_svg([1, 0], [0, 2], name),
    lambda name: risk_coverage_svg({name: [(0.5, 0.0), (1.0, 0.5)]}, name, references={name: random_curve(0.5)}),
    lambda name: history_svg(
        {name: [(0, 1.0), (1, None)], "b": [(0, 2.0)]}, name, x_label=name, marks=[(0, name)], levels=[(1, name)],
        bands={name: [(0, 0.5, 1.5)]}, x_ticks=[(0, name)],
    ),
    lambda name: dots_svg([name], {name: [(0.5, 0.4, 0.6)]}, name, x_label=name),
    lambda name: gaps_svg([name], [(0.5, 0.4, 0.6)], [0.7], name),
]  # fmt: skip


@pytest.mark.parametrize("draw", DRAWINGS)
def test_every_drawing_is_xml_with_a_title_and_a_description_and_names_are_only_text(
    draw: Callable[[str], str],
) -> None:
    root = parsed(draw(EVIL))
    assert root.get("role") == "img"
    title, described = root[0], root[1]
    assert (title.tag, described.tag) == (f"{SVG}title", f"{SVG}desc")
    assert title.text
    assert title.text == root.get("aria-label")
    assert described.text
    assert not [each for each in root.iter() if each.tag.endswith("script")]
    assert not [name for each in root.iter() for name in each.attrib if name.endswith("href") or name.startswith("on")]
    shown = "".join(each.text or "" for each in root.iter())
    assert '<script>alert(1)</script> & "x" \'\ufffd\ufffd\ufffd]]>' in shown


@pytest.mark.parametrize("shape", MARKERS)
def test_markers_and_legends_are_xml(shape: str) -> None:
    ElementTree.fromstring(marker(shape, "s0 fill", 1, 2))  # noqa: S314 - our own
    parsed(legend_svg(MARKERS.index(shape), hollow=True))


def test_reliability_bars_end_at_the_share_of_right_answers() -> None:
    bins = reliability([0.85, 0.85, 0.85, 0.85, 0.25, 0.25], [True, True, True, False, True, False])
    root = parsed(reliability_svg(bins, "cgp", [None] * 8 + [(0.5, 1.0)] + [None]))
    # The frame is 280 wide and high, 34 from the left and 10 from the top.
    low, high = of_class(root, "bar")
    assert numbers(low, "x", "y", "width", "height") == [34 + 56 + 1.5, 10 + 140, 25, 140]
    assert numbers(high, "x", "y", "width", "height") == [34 + 224 + 1.5, 10 + 70, 25, 210]
    # Four answers stand twice as high as two.
    assert [numbers(each, "height") for each in of_class(root, "count")] == [[20], [40]]
    whisker = of_class(root, "whisker")[0]
    assert numbers(whisker, "y1", "y2") == [10 + 140, 10]
    assert [each.text for each in of_class(root, "tiny")] == ["2", "4"]
    assert "stated 0.85, right 0.75, n = 4; if calibrated 0.50 to 1.00" in (root[1].text or "")


def test_reliability_without_answers_is_an_empty_frame() -> None:
    root = parsed(reliability_svg(reliability([], []), "nobody"))
    assert of_class(root, "bar") == []
    assert "No answers" in (root[1].text or "")


def test_risk_coverage_points_by_hand() -> None:
    # Answers in order of confidence: right, wrong, right, wrong.
    curve = [(0.25, 0.0), (0.5, 0.5), (0.75, 1 / 3), (1.0, 0.5)]
    root = parsed(risk_coverage_svg({"cgp": curve}, "test"))
    [drawn] = [each for each in root.iter(f"{SVG}polyline") if "s0" in (each.get("class") or "")]
    # The frame is 480 wide from 62, 280 high from 12; its upper edge is 1.05 times the highest risk.
    expected = [(62 + 480 * coverage, 12 + 280 * (1 - risk / 0.525)) for coverage, risk in curve]
    assert points(drawn) == [pytest.approx(each, abs=0.01) for each in expected]
    assert "cgp" in texts(root)
    assert "0.500 at 0.50" in (root[1].text or "")


def test_the_best_and_the_blind_order() -> None:
    best = dict(oracle_curve(0.25, points=4))
    assert best == {0.25: 0.0, 0.5: 0.0, 0.75: 0.0, 1.0: 0.25}
    assert dict(oracle_curve(0.5, points=4))[0.75] == pytest.approx(1 / 3)
    assert random_curve(0.3) == [(0.0, 0.3), (1.0, 0.3)]


def test_curves_differ_in_more_than_colour_and_their_names_do_not_overlap() -> None:
    same = [(0.5, 0.2), (1.0, 0.3)]
    root = parsed(risk_coverage_svg(dict.fromkeys("abcd", same), "x", references={"blind": random_curve(0.3)}))
    lines = [each for each in root.iter(f"{SVG}polyline") if "ideal" not in (each.get("class") or "")]
    assert len({each.get("stroke-dasharray") for each in lines}) == 4
    places = [float(each.get("y", "nan")) for each in root.iter(f"{SVG}text") if each.text in {*"abcd", "blind"}]
    assert len(places) == 5
    assert all(later - former >= 16.9 for former, later in zip(sorted(places), sorted(places)[1:], strict=False))


def test_histogram_sides_have_one_scale() -> None:
    root = parsed(confidence_histogram_svg([0, 30], [0, 10], "cgp", confident=0.5))
    [up], [down] = of_class(root, "bar"), of_class(root, "wrong")
    height, depth = numbers(up, "height")[0], numbers(down, "height")[0]
    assert height == pytest.approx(3 * depth, abs=0.02)
    assert height + depth == pytest.approx(220, abs=0.02)
    assert numbers(up, "y")[0] + height == pytest.approx(numbers(down, "y")[0], abs=0.02)
    assert "wrong at 0.5 or more: 10" in texts(root)
    assert "▲ right: 30" in texts(root)
    with pytest.raises(ValueError, match="same bins"):
        confidence_histogram_svg([1], [1, 2], "x")


def test_history_breaks_where_a_value_is_missing_and_stays_in_its_frame() -> None:
    line = [(0, 0.0), (1, 1.0), (2, None), (3, 9.0), (4, 0.5)]
    root = parsed(history_svg({"ECE": line}, "ECE", y_range=(0, 1), width=400, height=100, dots=False))
    first, second = root.iter(f"{SVG}polyline")
    assert points(first) == [(52, 114), (152, 14)]
    assert points(second) == [(352, 14), (452, 64)]  # 9 is beyond the edge and held there
    empty = parsed(history_svg({}, "nothing"))
    assert "Nothing yet" in (empty[1].text or "")


def test_dots_lie_at_their_values_with_their_intervals() -> None:
    drawing = dots_svg(["side", "size"], {"cgp": [(0.5, 0.25, 0.75), None]}, "ECE", x_range=(0, 1), width=200)
    root = parsed(drawing)
    [dot] = root.iter(f"{SVG}circle")
    [span] = [each for each in of_class(root, "line") if "s0" in (each.get("class") or "")]
    x1, x2 = numbers(span, "x1", "x2")
    assert x2 - x1 == pytest.approx(100, abs=0.02)
    assert numbers(dot, "cx")[0] == pytest.approx((x1 + x2) / 2, abs=0.02)
    assert "side, cgp: 0.500 (0.250 to 0.750)" in (root[1].text or "")
    assert "size" not in re.sub("side.*?;", "", root[1].text or "")
    with pytest.raises(ValueError, match="1 places for 2 rows"):
        dots_svg(["a", "b"], {"cgp": [None]}, "x")


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(-0.93, -0.41, about=4) == [-0.8, -0.6]
    assert ticks(0, 300, about=6) == [0, 50, 100, 150, 200, 250, 300]


def test_names_are_moved_apart_and_shortened_in_the_middle() -> None:
    assert apart([10, 10, 40], 5, 0, 100) == [10, 15, 40]
    assert apart([99, 98], 5, 0, 100) == [100, 95]
    assert apart([1, 1, 1], 10, 0, 5) == [0, 10, 20]
    assert shorten("short", 100) == "short"
    cut = shorten("a-very-long-name-of-a-policy-2", 80)
    assert cut.startswith("a-ver")
    assert cut.endswith("icy-2")
    assert len(cut) == 11
