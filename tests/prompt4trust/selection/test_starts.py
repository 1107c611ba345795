"""Where testing begins: by a tenth of the rows, or by numbers of accepted answers."""

from __future__ import annotations

import numpy as np
import pytest

from prompt4trust.selection import place_start, start_counts
from prompt4trust.selection.starts import set_aside, start_counts_apart

DELTA = 0.05


def test_starts_by_number_depend_on_the_number_of_rows_alone() -> None:
    assert (start_counts(9000), start_counts(2000), start_counts(500)) == ([300, 900], [150, 450], [75, 225])
    assert (start_counts(200), start_counts(75), start_counts(7)) == ([75], [75], [7])
    with pytest.raises(ValueError, match="at least one"):
        start_counts(0)


def test_few_rows_that_are_drawn_apart_have_one_early_start() -> None:
    assert (start_counts_apart(2000), start_counts_apart(150)) == (start_counts(2000), start_counts(150))
    assert [start_counts_apart(rows) for rows in (149, 50, 25, 1)] == [[30], [30], [15], [1]]
    with pytest.raises(ValueError, match="at least one"):
        start_counts_apart(0)


def test_the_start_is_placed_where_the_least_can_be_proved_and_rows_are_divided_once() -> None:
    scores = np.repeat([3.0, 2.0, 1.0], [20, 40, 40])
    wrong = np.concatenate([np.arange(20) < 6, np.arange(40) < 0, np.arange(40) < 30])
    assert place_start(scores, wrong, 1000, DELTA) == 2.0
    # Here the lower level would prove hardly less, which is not worth a laxer start.
    assert place_start([3.0] * 96 + [2.0] * 4, [True] + [False] * 99, 1000, DELTA) == 3.0
    with pytest.raises(ValueError, match="at least one"):
        place_start([], [], 10, DELTA)
    for n, aside in ((40, 20), (300, 30), (9000, 300)):
        one, other = set_aside(n, 3)
        assert len(one) == aside
        assert sorted([*one, *other]) == list(range(n))
        assert set_aside(n, 3) == (one, other)
