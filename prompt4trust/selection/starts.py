"""Where the testing of thresholds begins, which the tested outcomes must have no part in (see `risk`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prompt4trust.selection.bounds import upper_bound
from prompt4trust.selection.risk import counted

_FEWEST, _MOST = 75, 300
"""Accepted answers at the first start: without an error 75 prove a rate of 3.9 % at delta 0.05 where there is one
start, and of 4.8 % where there are two, which have half of delta each."""
_PART = 0.075
_RATIO = 3
_NEAR = 1.1
"""A start may cost a tenth of the smallest provable error rate if it is stricter for that."""
_DOUBT = 0.3
_FEW_ROWS, _FEW_START, _PART_OF_FEW = 150, 30, 0.6


def start_counts(rows: int) -> list[int]:
    """Choose the numbers of accepted answers at which sequences of tests begin, by the number of rows alone.

    A start with few answers proves a small risk if none of them is wrong, and nothing if the surest answers err now and
    then; one with many answers the other way round. The more starts there are, the less delta each has: two are a
    compromise, which was made on populations other than those that `benchmarks/selection` judges by.

    Args:
        rows: Tested answers with a verdict, at least 1.

    Returns:
        75 to 300 of them (0.075 of the rows, where that lies between), and three times as many where that is at most
        six tenths of the rows; all rows where there are fewer than 75.

    Raises:
        ValueError: If there are no rows.

    Example:
        >>> start_counts(1000), start_counts(200)
        ([75, 225], [75])
    """
    if rows < 1:
        raise ValueError("testing takes at least one row")
    first = min(max(_FEWEST, round(_PART * rows)), _MOST)
    if first > rows:
        return [rows]
    return [first, _RATIO * first] if _RATIO * first <= 0.6 * rows else [first]


def start_counts_apart(rows: int) -> list[int]:
    """Choose the same where the rows are drawn apart (see `prompt4trust.selection.pictures`), and may be few.

    Args:
        rows: Tested answers with a verdict, at least 1.

    Returns:
        From 150 rows on those of `start_counts`. Of fewer one start: 30 answers, or six tenths of the rows where that
        is less: 30 without an error prove a rate of 9.5 % at delta 0.05. It was chosen, as the others were, on
        populations other than those that `benchmarks/selection` judges by.

    Raises:
        ValueError: If there are no rows.

    Example:
        >>> start_counts_apart(300), start_counts_apart(100), start_counts_apart(25)
        ([75], [30], [15])
    """
    if rows >= _FEW_ROWS:
        return start_counts(rows)
    if rows < 1:
        raise ValueError("testing takes at least one row")
    return [max(1, min(_FEW_START, round(_PART_OF_FEW * rows)))]


def place_start(scores: npt.ArrayLike, wrong: npt.ArrayLike, tested: int, delta: float) -> float:
    """Choose where testing begins: where the smallest error rate is likely to be provable.

    Args:
        scores: Selection scores of rows that are set aside for this; shape [m], m >= 1.
        wrong: Whether each is wrong; shape [m].
        tested: Number of the other rows, which will test.
        delta: Level of the tests, in (0, 1).

    Returns:
        A whole level (all answers of a confidence): the strictest at which the expected bound is near the least one,
        since a start that is too strict costs a large accepted risk little, and one that is too lax a small one all.

    Raises:
        ValueError: If there are no rows.

    Example:
        >>> place_start([9000.0] * 30 + [6000.0] * 10, [False] * 30 + [True] * 10, tested=360, delta=0.05)
        9000.0
    """
    found, errors = np.asarray(scores, dtype=np.float64), np.asarray(wrong, dtype=np.bool_)
    if len(found) == 0:
        raise ValueError("a start is placed by at least one row")
    levels, accepted, mistakes = counted(np.floor(found), errors, np.inf)
    # A bound that holds rather than not: a handful of rows without an error is no sign of a rate of 0.
    rate = upper_bound(mistakes[1:], accepted[1:], _DOUBT)
    expected = np.maximum(np.round(accepted[1:] / len(found) * tested), 1)
    bounds = upper_bound(np.minimum(np.ceil(rate * expected), expected), expected, delta)
    return float(levels[1:][np.flatnonzero(bounds <= _NEAR * bounds.min())[0]])


def set_aside(rows: int, seed: int) -> tuple[Sequence[int], Sequence[int]]:
    """Divide rows into those that place the start and those that test.

    Args:
        rows: Their number, at least 40.
        seed: Seed of the division.

    Returns:
        The rows' places: a tenth (at least 20, at most 300) to place the start, and the rest to test.

    Raises:
        ValueError: If there are fewer than 40.
    """
    if rows < 40:
        raise ValueError(f"at least 40 rows are needed, not {rows}")
    order = np.random.default_rng(seed).permutation(rows).tolist()
    count = min(max(rows // 10, 20), 300)
    return order[:count], order[count:]
