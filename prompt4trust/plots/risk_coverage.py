"""Risk against coverage: what answering only the surer questions is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prompt4trust.plots.svg import (
    DASHES,
    MARKERS,
    Frame,
    Point,
    apart,
    group,
    line,
    marker,
    polyline,
    series_kind,
    shorten,
    svg,
    ticks,
    words,
)

_WIDE, _TALL, _LEFT, _TOP, _BELOW, _LABELS = 480.0, 280.0, 62.0, 12.0, 46.0, 240.0
_MARKED = (0.2, 0.4, 0.6, 0.8)


def risk_coverage_svg(
    curves: Mapping[str, Sequence[Point]],
    title: str,
    *,
    references: Mapping[str, Sequence[Point]] | None = None,
    colours: Mapping[str, int] | None = None,
) -> str:
    """Draw the share of errors among the answers that are given against the share of questions that are answered.

    Args:
        curves: Name -> (coverage, risk) in ascending order of coverage, each in [0, 1].
        title: What it is of; read out by screen readers.
        references: Name -> (coverage, risk) of thin lines behind the curves, such as the best order there could be.
        colours: Name -> number of its colour, where it is not its place in the order.

    Returns:
        An <svg> element. Curves are told apart by dashes and marks as well, and named at their right end.

    Example:
        >>> curve, best = [(0.5, 0.0), (1.0, 0.25)], oracle_curve(0.25)
        >>> drawing = risk_coverage_svg({"cgp": curve}, "cgp", references={"best order": best})
        >>> "cgp: 0.000 at 0.50, 0.250 at 1.00, 0.250 at 1.00" in drawing
        True
    """
    drawn = {name: list(points) for name, points in curves.items() if points}
    behind = {name: list(points) for name, points in (references or {}).items() if points}
    highest = max((risk for points in (*drawn.values(), *behind.values()) for _, risk in points), default=0.0)
    frame = Frame(_LEFT, _TOP, _WIDE, _TALL, (0.0, 1.0), (0.0, max(0.05, highest * 1.05)))
    parts = [frame.rules(ticks(*frame.y_range)), frame.columns((0.0, 0.25, 0.5, 0.75, 1.0))]
    parts.append(line("axis", (frame.left, frame.bottom), (frame.right, frame.bottom)))
    for name, points in behind.items():
        parts.append(group(name, [polyline("ideal line", frame.at(points))]))
    for index, (name, points) in enumerate(drawn.items()):
        kind = series_kind((colours or {}).get(name, index))
        shape, dash = MARKERS[index % len(MARKERS)], DASHES[index % len(DASHES)]
        marks = [marker(shape, f"{kind} fill", *place) for place in frame.at(_near(points))]
        parts.append(group(name, [polyline(f"{kind} line", frame.at(points), dash), *marks]))
    parts += _labels(frame, drawn, behind, colours or {})
    parts.append(words(frame.x(0.5), frame.bottom + 35, "share of questions answered", anchor="middle"))
    parts.append(words(16, frame.top + frame.height / 2, "share of these that is wrong", anchor="middle", kind="up"))
    told = "; ".join(
        f"{name}: " + ", ".join(f"{risk:.3f} at {coverage:.2f}" for coverage, risk in [*_near(points), points[-1]])
        for name, points in drawn.items()
    )
    described = f"Share of wrong answers by share of questions answered. {told or 'No answers'}."
    width = _LEFT + _WIDE + _LABELS
    return svg(width, _TOP + _TALL + _BELOW, f"Risk-coverage curves of {title}", described, parts)


def oracle_curve(error_rate: float, points: int = 100) -> list[Point]:
    """Compute the curve of the best possible order: every right answer before the first wrong one.

    Args:
        error_rate: Share of wrong answers, in [0, 1].
        points: How many.

    Example:
        >>> oracle_curve(0.25, points=4)
        [(0.25, 0.0), (0.5, 0.0), (0.75, 0.0), (1.0, 0.25)]
    """
    coverages = [index / points for index in range(1, points + 1)]
    return [(coverage, max(0.0, coverage - (1 - error_rate)) / coverage) for coverage in coverages]


def random_curve(error_rate: float) -> list[Point]:
    """Compute the curve of an order that knows nothing: as many errors at every coverage.

    Example:
        >>> random_curve(0.25)
        [(0.0, 0.25), (1.0, 0.25)]
    """
    return [(0.0, error_rate), (1.0, error_rate)]


def _near(points: Sequence[Point]) -> list[Point]:
    """Choose the points nearest to where curves are marked, each once."""
    chosen = (min(points, key=lambda point: abs(point[0] - coverage)) for coverage in _MARKED)
    return list(dict.fromkeys(chosen))


def _labels(
    frame: Frame,
    drawn: Mapping[str, Sequence[Point]],
    behind: Mapping[str, Sequence[Point]],
    colours: Mapping[str, int],
) -> list[str]:
    """Name every line beside its right end, in the order in which the lines lie, with a sample of it."""
    named = [(name, points, index) for index, (name, points) in enumerate(drawn.items())]
    named += [(name, points, -1) for name, points in behind.items()]
    # Lines of one model end in one place: what lies higher on average is then named higher.
    named.sort(key=lambda each: (-each[1][-1][1], -_mean(each[1])))
    ends = [frame.y(points[-1][1]) + 0.001 * place for place, (_, points, _) in enumerate(named)]
    parts = []
    for (name, points, index), y in zip(named, apart(ends, 17, frame.top + 4, frame.bottom), strict=True):
        start, x = (frame.right + 2, frame.y(points[-1][1])), frame.right + 16
        parts.append(line("grid", start, (x - 2, y)))
        if index < 0:
            parts.append(line("ideal", (x, y), (x + 26, y)))
        else:
            kind = series_kind(colours.get(name, index))
            parts.append(line(f"{kind} line", (x, y), (x + 26, y), DASHES[index % len(DASHES)]))
            parts.append(marker(MARKERS[index % len(MARKERS)], f"{kind} fill", x + 13, y))
        parts.append(words(x + 32, y + 4, shorten(name, _LABELS - 52), kind="" if index < 0 else "strong"))
    return parts


def _mean(points: Sequence[Point]) -> float:
    return sum(risk for _, risk in points) / len(points)
