"""A reliability diagram as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from prompt4trust.calibration import Bin

_SIDE = 240.0
_LEFT, _TOP, _COUNTS, _BELOW = 34.0, 10.0, 44.0, 40.0


def reliability_svg(bins: Sequence[Bin], title: str) -> str:
    """Draw accuracy against confidence, with the distance to the diagonal and the counts.

    Args:
        bins: The bins, in order, of equal width over [0, 1].
        title: Read out by screen readers.

    Returns:
        An <svg> element; its classes (bar, gap, count, ideal, axis, grid) are coloured by the page.
    """
    width, height = _LEFT + _SIDE + 10, _TOP + _SIDE + _COUNTS + _BELOW
    most = max((each.n for each in bins), default=0) or 1
    parts = [_grid()]
    for each in bins:
        if each.accuracy is None or each.confidence is None:
            continue
        left, wide = _x(each.low) + 1, _SIDE * (each.high - each.low) - 2
        words = f"stated {each.confidence:.2f}, right {each.accuracy:.2f}, n = {each.n}"
        top, bottom = max(each.accuracy, each.confidence), min(each.accuracy, each.confidence)
        tall = _COUNTS * each.n / most * 0.8
        parts.append(
            f"<g><title>{words}</title>{_rect('bar', left, _y(each.accuracy), wide, _SIDE * each.accuracy)}"
            f"{_rect('gap', left, _y(top), wide, _SIDE * (top - bottom))}"
            f"{_rect('count', left, _TOP + _SIDE + _COUNTS - tall, wide, tall)}</g>"
        )
    parts.append(f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>')
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="Reliability diagram of {escape(title, quote=True)}">{"".join(parts)}</svg>'
    )


def _grid() -> str:
    lines = []
    base = _TOP + _SIDE + _COUNTS
    for tick in (0.0, 0.5, 1.0):
        lines.append(f'<line class="grid" x1="{_x(0)}" y1="{_y(tick)}" x2="{_x(1)}" y2="{_y(tick)}"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{_y(tick) + 4}" text-anchor="end">{tick:g}</text>')
        lines.append(f'<text x="{_x(tick)}" y="{base + 14}" text-anchor="middle">{tick:g}</text>')
    lines.append(f'<line class="axis" x1="{_x(0)}" y1="{base}" x2="{_x(1)}" y2="{base}"/>')
    lines.append(f'<text x="{_x(0.5)}" y="{base + 30}" text-anchor="middle">confidence</text>')
    return "".join(lines)


def _rect(kind: str, x: float, y: float, wide: float, tall: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}"/>'


def _x(value: float) -> float:
    return _LEFT + _SIDE * value


def _y(value: float) -> float:
    return _TOP + _SIDE * (1 - value)
