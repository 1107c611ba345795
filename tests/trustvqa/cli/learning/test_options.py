"""`--reward` and `--curriculum`: names, sums, settings, and what is none of these."""

from __future__ import annotations

import pytest

from trustvqa.cli.learning.options import parse_curriculum, parse_reward


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


def test_settings_by_name() -> None:
    assert parse_curriculum(" by = error , first=hard,start_share=.2,steps=7 ") == {
        "by": "error",
        "first": "hard",
        "start_share": 0.2,
        "steps": 7,
        "replies": 1,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is no name=value"),
        ("steps", "'steps' is no name=value"),
        ("steps=1,steps=2", "steps is set twice"),
        ("first=easy", "steps: Field required"),
        ("steps=some", "steps: Input should be a valid integer"),
        ("steps=true", "steps: Input should be a valid integer"),
        ("steps=0", "steps: .*greater than or equal to 1"),
        ("steps=5,start_share=nan", "start_share: .*"),
        ("steps=5,start_share=1", "start_share: .*less than 1"),
        ("steps=5,first=middle", "first: .*'easy' or 'hard'"),
        ("steps=5,pace=2", "pace: Extra inputs"),
    ],
)
def test_what_is_no_curriculum(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_curriculum(text)
