"""Dots with intervals: one figure of several methods, by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prompt4trust.plots.svg import (
    MARKERS,
    Frame,
    group,
    line,
    marker,
    sample,
    series_kind,
    shorten,
    svg,
    ticks,
    width_of,
    words,
)

Triple = tuple[float, float | None, float | None]
"""A value, and the lower and upper end of its interval where it has one."""

_TOP, _BELOW, _STEP, _PAD, _RIGHT, _MOST_LEFT = 8.0, 44.0, 13.0, 10.0, 16.0, 150.0


def dots_svg(
    rows: Sequence[str],
    series: Mapping[str, Sequence[Triple | None]],
    title: str,
    *,
    x_label: str = "",
    x_range: tuple[float, float] | None = None,
    colours: Mapping[str, int] | None = None,
    hollow: frozenset[str] = frozenset(),
    width: float = 210.0,
) -> str:
    """Draw dots with intervals, a line of them for each row and series.

    Args:
        rows: Names of the rows, from the top.
        series: Name -> a value with its interval for each row, None where there is none.
        title: What it is of; read out by screen readers.
        x_label: What the horizontal axis is called.
        x_range: Values at its ends; None to hold all that is drawn, from 0.
        colours: Name of a series -> number of its colour, where it is not its place in the order. The marker is that
            of the colour's number.
        hollow: Series whose dots are not filled.
        width: Of the drawing area, in pixels.

    Returns:
        An <svg> element; `legend_svg` draws what the markers stand for.

    Raises:
        ValueError: If a series has not a place for every row.

    Example:
        >>> "CT, cgp: 0.100 (0.050 to 0.200)." in dots_svg(["CT"], {"cgp": [(0.1, 0.05, 0.2)]}, "ECE by modality")
        True
    """
    for name, values in series.items():
        if len(values) != len(rows):
            raise ValueError(f"{name} has {len(values)} places for {len(rows)} rows")
    left = min(_MOST_LEFT, max((width_of(row) for row in rows), default=0.0)) + 24
    tall = _STEP * max(len(series), 1) + _PAD
    known = [end for values in series.values() for each in values if each for end in each if end is not None]
    bounds = x_range or (0.0, max([*known, 0.01]) * 1.05)
    frame = Frame(left, _TOP, width, max(tall * len(rows), 1.0), bounds)
    parts = [frame.columns(ticks(*bounds, about=4), rules=True)]
    told = []
    for place, row in enumerate(rows):
        top = _TOP + place * tall
        if place:
            parts.append(line("grid", (0, top), (frame.right, top)))
        parts.append(words(left - 8, top + tall / 2 + 4, shorten(row, _MOST_LEFT), anchor="end", kind="strong"))
        for index, (name, values) in enumerate(series.items()):
            each = values[place]
            if each is None:
                continue
            y = top + _PAD / 2 + _STEP * (index + 0.5)
            number = (colours or {}).get(name, index)
            told.append(f"{row}, {name}: {_written(each)}")
            parts.append(group(told[-1], _dot(frame, y, each, number, hollow=name in hollow)))
    parts.append(line("axis", (frame.left, frame.bottom), (frame.right, frame.bottom)))
    parts.append(words(frame.left + width / 2, frame.bottom + 34, x_label, anchor="middle"))
    described = ("; ".join(told) or "No answers") + "."
    return svg(left + width + _RIGHT, frame.bottom + _BELOW, title, described, parts)


def gaps_svg(rows: Sequence[str], right: Sequence[Triple | None], stated: Sequence[float | None], title: str) -> str:
    """Draw how often answers were right (a dot with its interval) beside the confidence stated on average (a bar).

    Args:
        rows: Names of the rows, from the top.
        right: Share of right answers in [0, 1] with its interval, None where there are no answers.
        stated: Mean confidence in [0, 1] likewise.
        title: What it is of; read out by screen readers.

    Returns:
        An <svg> element.

    Example:
        >>> "CT: right 0.700 (0.600 to 0.800), stated 0.900." in gaps_svg(["CT"], [(0.7, 0.6, 0.8)], [0.9], "cgp")
        True
    """
    left = min(_MOST_LEFT, max((width_of(row) for row in rows), default=0.0)) + 24
    tall = 24.0
    frame = Frame(left, _TOP, 220.0, max(tall * len(rows), 1.0))
    parts = [frame.columns((0.0, 0.25, 0.5, 0.75, 1.0), rules=True)]
    told = []
    for place, (row, share, said) in enumerate(zip(rows, right, stated, strict=True)):
        y = _TOP + (place + 0.5) * tall
        parts.append(words(left - 8, y + 4, shorten(row, _MOST_LEFT), anchor="end", kind="strong"))
        if share is None or said is None:
            continue
        told.append(f"{row}: right {_written(share)}, stated {said:.3f}")
        between = line("between", (frame.x(share[0]), y), (frame.x(said), y))
        bar = marker("bar", "s1 fill", frame.x(said), y, 4.5)
        parts.append(group(told[-1], [between, bar, *_dot(frame, y, share, 0, hollow=False)]))
    parts.append(line("axis", (frame.left, frame.bottom), (frame.right, frame.bottom)))
    described = ("; ".join(told) or "No answers") + "."
    return svg(left + frame.width + _RIGHT, frame.bottom + 24, title, described, parts)


def stated_svg() -> str:
    """Draw the bar of `gaps_svg` by itself.

    Example:
        >>> "<rect" in stated_svg()
        True
    """
    return sample(22, 14, [marker("bar", "s1 fill", 11, 7, 4.5)])


def legend_svg(number: int, *, hollow: bool = False) -> str:
    """Draw one marker by itself, for a line of words that says what it stands for.

    Example:
        >>> "<circle" in legend_svg(0), "hollow" in legend_svg(1, hollow=True)
        (True, True)
    """
    kind = f"{series_kind(number)} {'hollow' if hollow else 'fill'}"
    through = line(f"{series_kind(number)} line", (0, 7), (22, 7))
    return sample(22, 14, [through, marker(MARKERS[number % len(MARKERS)], kind, 11, 7)])


def _dot(frame: Frame, y: float, each: Triple, number: int, *, hollow: bool) -> list[str]:
    value, low, high = each
    kind = series_kind(number)
    parts = []
    if low is not None and high is not None:
        parts.append(line(f"{kind} line", (frame.x(low), y), (frame.x(high), y)))
    return [
        *parts,
        marker(MARKERS[number % len(MARKERS)], f"{kind} {'hollow' if hollow else 'fill'}", frame.x(value), y),
    ]


def _written(each: Triple) -> str:
    value, low, high = each
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"
