"""No share is put in words as if it were certain, wherever it is shown."""

from __future__ import annotations

import pytest

from prompt4trust.shares import in_percent, of_hundred


@pytest.mark.parametrize(
    ("share", "percent", "count"),
    [
        (1.0, "more than 99 %", "more than 99 were"),
        (0.9957, "more than 99 %", "more than 99 were"),
        (0.99, "99 %", "about 99 were"),
        (0.825, "83 %", "about 83 were"),
        (0.5, "50 %", "about 50 were"),
        (0.01, "1 %", "about 1 was"),
        (0.0, "less than 1 %", "fewer than 1 was"),
    ],
)
def test_nothing_is_certain(share: float, percent: str, count: str) -> None:
    assert (in_percent(share), of_hundred(share)) == (percent, count)
