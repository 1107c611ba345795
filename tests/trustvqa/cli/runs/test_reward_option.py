"""`--reward`: names, sums, and what is neither."""

from __future__ import annotations

import pytest

from trustvqa.cli.runs.reward_option import parse_reward


def test_names_and_sums() -> None:
    assert parse_reward("spherical") == "spherical"
    assert parse_reward("brier=1") == {"brier": 1.0}
    assert parse_reward(" brier = 1 , tail_weighted=.5") == {"brier": 1.0, "tail_weighted": 0.5}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("applause", "unknown reward 'applause'"),
        ("", "unknown reward ''"),
        ("brier,spherical", "'brier' is no name=weight"),
        ("brier=much", "'brier=much' is no name=weight"),
        ("brier=1,", "'' is no name=weight"),
        ("brier=1,brier=2", "weighed twice"),
        ("brier=nan", "must be above 0"),
        ("applause=1", "unknown reward 'applause'"),
    ],
)
def test_what_is_no_reward(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_reward(text)
