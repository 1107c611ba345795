"""The few SVG elements that the diagrams are made of, and the frame that turns values into places."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from prompt4trust.plots.style import ROOT, STYLE_ELEMENT

Point = tuple[float, float]

# XML 1.0 holds no other characters, however they are written (section 2.2); lone surrogates no encoding holds.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LETTER = 0.56
"""Mean width of a character of the pages' fonts, as a share of the font's size."""

MARKERS = ("circle", "square", "diamond", "triangle", "cross", "bar")
"""Shapes that tell series apart without colour, in order."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2")
"""Dash patterns that tell lines apart without colour, in order."""
COLOURS = 6
"""Number of classes s0, s1, ... of series with a colour of their own."""


def clean(text: str) -> str:
    """Escape text for XML, attributes included."""
    return escape(printable(text), quote=True)


def printable(text: str) -> str:
    """Replace characters that XML or UTF-8 cannot hold by U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)


def place(value: float) -> str:
    """Write a coordinate, to a hundredth."""
    return f"{value + 0.0:z.2f}".rstrip("0").rstrip(".")


def svg(width: float, height: float, title: str, description: str, parts: Iterable[str]) -> str:
    """Wrap a drawing with its style; screen readers announce it by its title and describe it by its description.

    Args:
        width: In pixels; the page may show it narrower.
        height: In pixels.
        title: What it shows, as text.
        description: What is to be seen in it, as text.
        parts: Its elements.
    """
    told = f"<title>{clean(title)}</title><desc>{clean(description)}</desc>"
    return _element(width, height, ROOT, f'role="img" aria-label="{clean(title)}"', [told, STYLE_ELEMENT, *parts])


def sample(width: float, height: float, parts: Iterable[str]) -> str:
    """Wrap a drawing that screen readers pass over, since words beside it say the same."""
    return _element(width, height, f"{ROOT} sample", 'aria-hidden="true"', [STYLE_ELEMENT, *parts])


def _element(width: float, height: float, kind: str, spoken: str, parts: Iterable[str]) -> str:
    size = f'viewBox="0 0 {place(width)} {place(height)}" width="{place(width)}" height="{place(height)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" {size} {spoken}>{"".join(parts)}</svg>'


def words(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    """Write text at a place; y is its baseline, anchor "start", "middle" or "end"."""
    style = f' class="{kind}"' if kind else ""
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{style} x="{place(x)}" y="{place(y)}"{side}>{clean(text)}</text>'


def line(kind: str, start: Point, end: Point, dash: str = "") -> str:
    """Draw a straight line."""
    (x1, y1), (x2, y2) = start, end
    pattern = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line class="{kind}" x1="{place(x1)}" y1="{place(y1)}" x2="{place(x2)}" y2="{place(y2)}"{pattern}/>'


def rect(kind: str, x: float, y: float, wide: float, tall: float) -> str:
    """Draw a rectangle; one of no height or width is left out."""
    if wide <= 0 or tall <= 0:
        return ""
    return f'<rect class="{kind}" x="{place(x)}" y="{place(y)}" width="{place(wide)}" height="{place(tall)}"/>'


def polyline(kind: str, points: Sequence[Point], dash: str = "") -> str:
    """Draw a line through points."""
    listed = " ".join(f"{place(x)},{place(y)}" for x, y in points)
    pattern = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline class="{kind}" points="{listed}"{pattern}/>'


def polygon(kind: str, points: Sequence[Point]) -> str:
    """Fill an area."""
    listed = " ".join(f"{place(x)},{place(y)}" for x, y in points)
    return f'<polygon class="{kind}" points="{listed}"/>'


def group(title: str, parts: Iterable[str]) -> str:
    """Put elements together under words that a pointer shows."""
    return f"<g><title>{clean(title)}</title>{''.join(parts)}</g>"


def marker(shape: str, kind: str, x: float, y: float, size: float = 4.0) -> str:
    """Draw one of `MARKERS` around a point."""
    s = size
    if shape == "circle":
        return f'<circle class="{kind}" cx="{place(x)}" cy="{place(y)}" r="{place(s)}"/>'
    if shape == "square":
        return rect(kind, x - s * 0.9, y - s * 0.9, 1.8 * s, 1.8 * s)
    if shape == "diamond":
        return polygon(kind, [(x, y - 1.3 * s), (x + 1.3 * s, y), (x, y + 1.3 * s), (x - 1.3 * s, y)])
    if shape == "triangle":
        return polygon(kind, [(x, y - 1.2 * s), (x + 1.2 * s, y + s), (x - 1.2 * s, y + s)])
    if shape == "cross":
        a, b = 0.4 * s, 1.2 * s
        arms = [
            (-a, -b),
            (a, -b),
            (a, -a),
            (b, -a),
            (b, a),
            (a, a),
            (a, b),
            (-a, b),
            (-a, a),
            (-b, a),
            (-b, -a),
            (-a, -a),
        ]
        return polygon(kind, [(x + dx, y + dy) for dx, dy in arms])
    return rect(kind, x - 0.5 * s, y - 1.3 * s, s, 2.6 * s)


def series_kind(index: int) -> str:
    """Name the class that colours a series."""
    return f"s{index % COLOURS}"


def width_of(text: str, size: float = 12.0) -> float:
    """Estimate how wide a text is, in pixels."""
    return len(text) * size * _LETTER


def shorten(text: str, room: float, size: float = 12.0) -> str:
    """Cut a text in its middle so that it fits into so many pixels: names differ at their ends."""
    most = max(5, int(room / (size * _LETTER)))
    if len(text) <= most:
        return text
    tail = most // 2
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Choose round values within a range.

    Args:
        low: Its lower end.
        high: Its upper end, above low.
        about: How many are wanted.

    Returns:
        Multiples of 1, 2 or 5 times a power of ten, ascending.
    """
    rough = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places as little as needed for neighbours to be a gap apart, in the order in which they stand.

    Args:
        places: Where each would be.
        gap: Least distance.
        low: None comes to lie below this.
        high: Nor, where there is room for all, above this.

    Returns:
        The moved places, in the order given.
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = [0.0] * len(places)
    floor = low
    for index in order:
        moved[index] = floor = max(places[index], floor)
        floor += gap
    ceiling = high
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    shift = max(0.0, low - min(moved, default=low))
    return [each + shift for each in moved]


@dataclass(frozen=True, slots=True)
class Frame:
    """The area in which values are drawn.

    Attributes:
        left, top: Its upper left corner, in pixels.
        width, height: Its size, in pixels.
        x_range: Values at its left and right edge.
        y_range: Values at its lower and upper edge.
    """

    left: float
    top: float
    width: float
    height: float
    x_range: Point = (0.0, 1.0)
    y_range: Point = (0.0, 1.0)

    def x(self, value: float) -> float:
        """Find a value's place from the left."""
        low, high = self.x_range
        return self.left + self.width * (value - low) / (high - low)

    def y(self, value: float) -> float:
        """Find a value's place from the top."""
        low, high = self.y_range
        return self.top + self.height * (1 - (value - low) / (high - low))

    def at(self, points: Iterable[Point]) -> list[Point]:
        """Find the places of points."""
        return [(self.x(x), self.y(y)) for x, y in points]

    @property
    def right(self) -> float:
        """Its right edge, in pixels."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge, in pixels."""
        return self.top + self.height

    def rules(self, values: Iterable[float]) -> str:
        """Draw level lines with their values to the left."""
        return "".join(
            line("grid", (self.left, self.y(value)), (self.right, self.y(value)))
            + words(self.left - 6, self.y(value) + 4, f"{value:g}", anchor="end")
            for value in values
        )

    def columns(self, values: Iterable[float], below: float | None = None, *, rules: bool = False) -> str:
        """Write values below the frame, or below a place, with upright lines if wanted."""
        base = self.bottom if below is None else below
        return "".join(
            (line("grid", (self.x(value), self.top), (self.x(value), base)) if rules else "")
            + words(self.x(value), base + 15, f"{value:g}", anchor="middle")
            for value in values
        )
