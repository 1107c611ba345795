"""Warnings where the reviewed answers may be unlike all of them."""

from __future__ import annotations

import pytest

from tests.trustvqa.cli.models.test_refit import CGP
from trustvqa.cli.models.refit import selection_warnings
from trustvqa.cli.models.reviews import Count


def counted(*counts: tuple[str, int, int]) -> list[Count]:
    return [Count(pair=CGP, decision=name, reviewed=reviewed, answers=n) for name, reviewed, n in counts]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (counted(("answer", 100, 100)), 0),
        (counted(("answer", 20, 100), ("defer", 20, 100)), 0),
        (counted(("answer", 19, 100), ("defer", 20, 100)), 1),
        (counted(("answer", 0, 3), ("defer", 3, 3)), 0),  # chance makes more
        (counted(("answer", 0, 30), ("defer", 30, 30)), 1),
        (counted(("answer", 300, 1000), ("defer", 400, 1000)), 0),  # more than chance, and little
        (counted(("answer", 300, 1000), ("defer", 500, 1000)), 1),
        (counted(("answer", 500, 1000), ("defer", 300, 1000)), 1),
    ],
)
def test_a_warning_is_for_few_reviews_or_unequal_ones(counts: list[Count], expected: int) -> None:
    assert len(selection_warnings(counts)) == expected
