"""Confidences of right and of wrong answers, mirrored so that neither hides the other."""

from __future__ import annotations

from collections.abc import Sequence

from prompt4trust.plots.svg import Frame, group, line, rect, svg, ticks, words

_WIDE, _TALL, _LEFT, _TOP, _BELOW, _RIGHT = 280.0, 220.0, 44.0, 24.0, 60.0, 12.0
_LEAST_SHARE = 0.12  # of the height is kept for the smaller side, so that a few errors do not vanish


def confidence_histogram_svg(
    right: Sequence[float], wrong: Sequence[float], title: str, *, confident: float | None = 0.9
) -> str:
    """Draw how many right answers (upwards) and wrong ones (downwards) were stated at each confidence.

    Args:
        right: Right answers by bin of equal width over [0, 1], in order.
        wrong: Wrong answers likewise.
        title: What it is of; read out by screen readers.
        confident: Confidence from which an error is a confident one, marked by a line, or None. It should be where
            bins meet.

    Returns:
        An <svg> element.

    Raises:
        ValueError: If there are not as many bins of the one as of the other, or none.

    Example:
        >>> "4 right and 3 wrong answers." in confidence_histogram_svg([1, 3], [2, 1], "cgp", confident=0.5)
        True
    """
    if len(right) != len(wrong) or not right:
        raise ValueError(f"right and wrong answers need the same bins, not {len(right)} and {len(wrong)}")
    above, below = max(*right, 1.0), max(*wrong, 1.0)
    above, below = max(above, below * _LEAST_SHARE), max(below, above * _LEAST_SHARE)
    frame = Frame(_LEFT, _TOP, _WIDE, _TALL, (0.0, 1.0), (-below, above))
    parts = [_scale(frame, above, below)]
    told = []
    for index, (good, bad) in enumerate(zip(right, wrong, strict=True)):
        low, high = index / len(right), (index + 1) / len(right)
        left, wide = frame.x(low) + 0.75, frame.x(high) - frame.x(low) - 1.5
        if good or bad:
            said = f"{low:.2f} to {high:.2f}: {good:g} right, {bad:g} wrong"
            told.append(said)
            up = rect("bar", left, frame.y(good), wide, frame.y(0) - frame.y(good))
            parts.append(group(said, [up, rect("wrong", left, frame.y(0), wide, frame.y(-bad) - frame.y(0))]))
    parts.append(line("axis", (frame.left, frame.y(0)), (frame.right, frame.y(0))))
    parts.append(words(frame.left + 4, frame.top - 8, f"▲ right: {sum(right):g}", kind="strong"))
    parts.append(words(frame.left + 4, frame.bottom + 14, f"▼ wrong: {sum(wrong):g}", kind="strong"))
    if confident is not None:
        errors = sum(bad for index, bad in enumerate(wrong) if index / len(wrong) >= confident - 1e-9)
        parts.append(line("mark", (frame.x(confident), frame.top), (frame.x(confident), frame.bottom)))
        said = f"wrong at {confident:g} or more: {errors:g}"
        parts.append(words(frame.right, frame.bottom + 14, said, anchor="end", kind="strong"))
        told.append(said)
    parts.append(frame.columns((0.0, 0.5, 1.0), frame.bottom + 18))
    parts.append(words(frame.x(0.5), frame.bottom + 51, "confidence", anchor="middle"))
    described = f"{sum(right):g} right and {sum(wrong):g} wrong answers. {'; '.join(told)}."
    return svg(_LEFT + _WIDE + _RIGHT, _TOP + _TALL + _BELOW, f"Confidences of {title}", described, parts)


def _scale(frame: Frame, above: float, below: float) -> str:
    step = next((each for each in ticks(0, max(above, below), 4) if each > 0), 1.0)
    values = [step * index for index in range(-int(below / step), int(above / step) + 1)]
    return "".join(
        line("grid", (frame.left, frame.y(value)), (frame.right, frame.y(value)))
        + words(frame.left - 6, frame.y(value) + 4, f"{abs(value):g}", anchor="end")
        for value in values
    )
