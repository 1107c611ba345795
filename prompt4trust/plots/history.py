"""Histories of figures: over the steps of a training run, or over the answers of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prompt4trust.plots.svg import (
    DASHES,
    Frame,
    Point,
    apart,
    group,
    line,
    marker,
    polygon,
    polyline,
    series_kind,
    shorten,
    svg,
    ticks,
    words,
)

_LEFT, _TOP, _BELOW, _LABELS = 52.0, 14.0, 44.0, 150.0


def history_svg(
    lines: Mapping[str, Sequence[tuple[float, float | None]]],
    title: str,
    *,
    x_label: str = "",
    y_range: tuple[float, float] | None = None,
    bands: Mapping[str, Sequence[tuple[float, float, float]]] | None = None,
    marks: Sequence[tuple[float, str]] = (),
    levels: Sequence[tuple[float, str]] = (),
    x_ticks: Sequence[tuple[float, str]] | None = None,
    width: float = 420.0,
    height: float = 180.0,
    dots: bool = False,
    names: bool = True,
) -> str:
    """Draw lines over time, with intervals, events and limits.

    Args:
        lines: Name -> (x, value) in ascending order of x; a value of None breaks the line.
        title: What it is of; read out by screen readers.
        x_label: What the horizontal axis is called.
        y_range: Values at the lower and upper edge; None to hold all that is drawn.
        bands: Name of a line -> (x, low, high) of the shade around it, in ascending order of x.
        marks: Upright lines: x and a few words.
        levels: Level lines: value and a few words.
        x_ticks: Places and words below the axis; None for round numbers.
        width: Of the drawing area, in pixels.
        height: Of the drawing area, in pixels.
        dots: Whether to mark every point.
        names: Whether several lines are named at their right end; where not, the caption has to.

    Returns:
        An <svg> element; lines are told apart by dashes as well.

    Example:
        >>> drawing = history_svg({"ECE": [(0, 0.3), (10, 0.1)]}, "ECE by step", marks=[(10, "best")])
        >>> "ECE: 0.3 at 0, 0.1 at 10; best at 10." in drawing
        True
    """
    shades = bands or {}
    xs = [x for points in lines.values() for x, _ in points] + [x for x, _ in marks]
    ys = [y for points in lines.values() for _, y in points if y is not None] + [y for y, _ in levels]
    ys += [bound for shade in shades.values() for _, *bounds in shade for bound in bounds]
    frame = Frame(_LEFT, _TOP, width, height, _range(xs), y_range or _padded(ys))
    parts = [frame.rules(ticks(*frame.y_range, about=4))]
    listed = x_ticks if x_ticks is not None else [(value, f"{value:g}") for value in ticks(*frame.x_range, about=6)]
    parts += [words(frame.x(x), frame.bottom + 16, said, anchor="middle") for x, said in listed]
    parts.append(line("axis", (frame.left, frame.bottom), (frame.right, frame.bottom)))
    for x, said in marks:
        upright = line("mark", (frame.x(x), frame.top), (frame.x(x), frame.bottom))
        side = "end" if frame.x(x) > frame.left + width / 2 else "start"
        at = frame.x(x) + (4 if side == "start" else -4)
        parts.append(group(said, [upright, words(at, frame.top + 10, said, anchor=side)]))
    for y, said in levels:
        level = line("ideal", (frame.left, frame.y(y)), (frame.right, frame.y(y)))
        parts.append(group(said, [level, words(frame.left + 4, frame.y(y) - 4, said)]))
    for index, (name, points) in enumerate(lines.items()):
        kind, dash = series_kind(index), DASHES[index % len(DASHES)]
        shade = shades.get(name, ())
        if shade:
            edge = [(x, low) for x, low, _ in shade] + [(x, high) for x, _, high in reversed(shade)]
            parts.append(polygon(f"{kind} shade", frame.at(_held(edge, frame.y_range))))
        drawn = [polyline(f"{kind} line", frame.at(_held(run, frame.y_range)), dash) for run in _runs(points)]
        if dots:
            drawn += [marker("circle", f"{kind} fill", frame.x(x), frame.y(y), 3) for x, y in points if y is not None]
        parts.append(group(name, drawn))
    named = names and len(lines) > 1
    parts += _names(frame, lines) if named else []
    if x_label:
        parts.append(words(frame.left + width / 2, frame.bottom + 34, x_label, anchor="middle"))
    labels = _LABELS if named else 14.0
    described = "; ".join(_told(name, points) for name, points in lines.items()) or "Nothing yet"
    described += "".join(f"; {said} at {x:g}" for x, said in marks)
    return svg(_LEFT + width + labels, _TOP + height + _BELOW, title, f"{described}.", parts)


def _names(frame: Frame, lines: Mapping[str, Sequence[tuple[float, float | None]]]) -> list[str]:
    last = {name: next((y for _, y in reversed(points) if y is not None), None) for name, points in lines.items()}
    shown = [(index, name, y) for index, (name, y) in enumerate(last.items()) if y is not None]
    places = apart([frame.y(y) for _, _, y in shown], 16, frame.top + 4, frame.bottom)
    return [
        line(f"{series_kind(index)} line", (frame.right + 8, y), (frame.right + 28, y), DASHES[index % len(DASHES)])
        + words(frame.right + 33, y + 4, shorten(name, _LABELS - 35), kind="strong")
        for (index, name, _), y in zip(shown, places, strict=True)
    ]


def _runs(points: Iterable[tuple[float, float | None]]) -> list[list[Point]]:
    """Cut a line where values are missing."""
    runs: list[list[Point]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append((x, y))
    return [run for run in runs if run]


def _held(points: Iterable[Point], bounds: Point) -> list[Point]:
    """Keep what leaves the frame at its edge."""
    low, high = bounds
    return [(x, min(max(y, low), high)) for x, y in points]


def _range(values: Sequence[float]) -> Point:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _padded(values: Sequence[float]) -> Point:
    low, high = _range(values)
    pad = 0.06 * (high - low)
    # What cannot be negative is not drawn as if it could.
    return (max(0.0, low - pad) if low >= 0 else low - pad, high + pad)


def _told(name: str, points: Sequence[tuple[float, float | None]]) -> str:
    known = [(x, y) for x, y in points if y is not None]
    if not known:
        return f"{name}: nothing yet"
    (first, begin), (last, end) = known[0], known[-1]
    return f"{name}: {begin:.4g} at {first:g}, {end:.4g} at {last:g}"
