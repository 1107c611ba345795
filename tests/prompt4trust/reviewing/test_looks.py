"""Reviews as looks: whose words are one look, and what struck ones say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prompt4trust.reviewing import FlipRates, Looks, SingleReview, count_looks, struck_rates

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def said(who: str, right: bool, hours: float = 0, *, answer: str = "a", struck: bool = False) -> SingleReview:
    return SingleReview(answer, DAY + timedelta(hours=hours), who, right, struck)


def test_people_are_looks_and_a_person_again_after_a_day() -> None:
    assert count_looks([said("x", True), said("y", False)])["a"] == Looks(1, 1)
    assert count_looks([said("x", True), said("x", True, 1), said("x", False, 2)])["a"] == Looks(0, 1)
    assert count_looks([said("x", False, 30), said("x", True)])["a"] == Looks(1, 1)
    # From one word to the next, so that words on and on are one look.
    assert count_looks([said("x", True, 20 * n) for n in range(5)])["a"] == Looks(1, 0)


def test_struck_reviews_are_no_looks() -> None:
    assert count_looks([said("x", True, struck=True), said("y", False)])["a"] == Looks(0, 1)
    assert count_looks([said("x", True, struck=True)]) == {}


def test_struck_reviews_are_a_floor_of_the_rates_of_those_who_still_review() -> None:
    standing = [said("x", n < 6, answer=str(n)) for n in range(10)]  # 6 right, 4 wrong
    struck = [said("x", False, answer=f"s{n}", struck=True) for n in range(2)]
    gone = [said("y", True, answer=f"y{n}", struck=True) for n in range(20)]
    assert struck_rates([*standing, *struck, *gone]) == FlipRates(2 / 8, 0.0)
    assert struck_rates([*standing, *gone]) == FlipRates()
    assert struck_rates([]) == FlipRates()
