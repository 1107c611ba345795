"""The reliability diagram: how often answers were right, by the confidence that they were given with."""

from __future__ import annotations

from collections.abc import Sequence

from prompt4trust.calibration import Bin
from prompt4trust.plots.svg import Frame, group, line, rect, svg, words

_SIDE, _LEFT, _TOP = 280.0, 34.0, 10.0
_COUNTS, _ROOM, _BELOW = 40.0, 20.0, 42.0


def reliability_svg(
    bins: Sequence[Bin], title: str, band: Sequence[tuple[float, float] | None] = (), x_label: str = "confidence"
) -> str:
    """Draw accuracy against confidence, with the distance to the diagonal and the counts.

    Args:
        bins: The bins, in order, of equal width over [0, 1].
        title: What it is of; read out by screen readers.
        band: For each bin the shares between which 95 % of a perfectly calibrated model's would lie, or None; empty
            to draw none.
        x_label: What the horizontal axis is called.

    Returns:
        An <svg> element.

    Example:
        >>> from prompt4trust.calibration import reliability
        >>> drawing = reliability_svg(reliability([0.25, 0.85, 0.85], [False, True, False]), "cgp")
        >>> drawing[drawing.index("<desc>") :].partition("</desc>")[0]
        '<desc>Share of right answers by confidence. stated 0.25, right 0.00, n = 1; stated 0.85, right 0.50, n = 2.'
    """
    frame = Frame(_LEFT, _TOP, _SIDE, _SIDE)
    base = frame.bottom + _ROOM + _COUNTS
    width, height = _LEFT + _SIDE + 12, base + _BELOW
    most = max((each.n for each in bins), default=0) or 1
    parts = [frame.rules((0.0, 0.5, 1.0)), frame.columns((0.0, 0.5, 1.0), base)]
    parts.append(line("ideal", (frame.x(0), frame.y(0)), (frame.x(1), frame.y(1))))
    told = []
    for index, each in enumerate(bins):
        if each.accuracy is None or each.confidence is None:
            continue
        said = f"stated {each.confidence:.2f}, right {each.accuracy:.2f}, n = {each.n}"
        expected = band[index] if index < len(band) else None
        if expected is not None:
            said += f"; if calibrated {expected[0]:.2f} to {expected[1]:.2f}"
        told.append(said)
        parts.append(group(said, _bar(frame, each, expected, base, most)))
    parts.append(line("axis", (frame.left, base), (frame.right, base)))
    parts.append(words(frame.x(0.5), base + 33, x_label, anchor="middle"))
    described = "Share of right answers by confidence. " + ("; ".join(told) or "No answers") + "."
    return svg(width, height, f"Reliability diagram of {title}", described, parts)


def _bar(frame: Frame, each: Bin, expected: tuple[float, float] | None, base: float, most: int) -> list[str]:
    accuracy, confidence = each.accuracy or 0.0, each.confidence or 0.0
    left, wide = frame.x(each.low) + 1.5, frame.width * (each.high - each.low) - 3
    middle = left + wide / 2
    top, bottom = max(accuracy, confidence), min(accuracy, confidence)
    tall = _COUNTS * each.n / most
    parts = [
        rect("bar", left, frame.y(accuracy), wide, frame.y(0) - frame.y(accuracy)),
        rect("gap", left, frame.y(top), wide, frame.y(bottom) - frame.y(top)),
        line("level", (left, frame.y(accuracy)), (left + wide, frame.y(accuracy))),
        rect("count", left, base - tall, wide, tall),
        words(middle, base - tall - 3, _count(each.n), anchor="middle", kind="tiny"),
    ]
    if expected is not None:
        low, high = frame.y(expected[0]), frame.y(expected[1])
        cap = min(5.0, wide / 3)
        parts += [
            line("halo", (middle, low), (middle, high)),
            line("whisker", (middle, low), (middle, high)),
            *(line("whisker", (middle - cap, end), (middle + cap, end)) for end in (low, high)),
        ]
    return parts


def _count(n: int) -> str:
    return str(n) if n < 10_000 else f"{n / 1000:.0f}k"
