"""Single reviews turned into independent looks at answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from prompt4trust.reviewing.rates import MAX_RATE, FlipRates

APART = timedelta(days=1)
"""The same person's word on the same answer is another look where at least this lies between; until then it corrects
the word before."""


@dataclass(frozen=True, slots=True)
class SingleReview:
    """A review of an answer.

    Attributes:
        answer: The answer's id.
        at: When it was given.
        who: Who gave it; the same whatever the case and the blanks around.
        right: Whether the answer was right, by this review.
        struck: Whether an administrator took it out of the count.
    """

    answer: str
    at: datetime
    who: str
    right: bool
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks at one answer: how many found it right, and how many wrong."""

    right: int = 0
    wrong: int = 0


def count_looks(reviews: Iterable[SingleReview]) -> dict[str, Looks]:
    """Count the looks at each answer, among the reviews that stand.

    Different people's are different looks; one person's are where a day lies between. Of those nearer together the last
    counts: whoever presses a button twice has not looked twice, and a slip that is mended at once is none.

    Args:
        reviews: In any order.

    Returns:
        Answer id -> its looks.

    Example:
        >>> from datetime import UTC
        >>> day = datetime(2026, 3, 1, tzinfo=UTC)
        >>> said = [SingleReview("a", day, "dr. x", True), SingleReview("a", day + timedelta(hours=1), "Dr. X ", False)]
        >>> count_looks(said)["a"], count_looks([*said, SingleReview("a", day, "dr. y", True)])["a"]
        (Looks(right=0, wrong=1), Looks(right=1, wrong=1))
    """
    by_person: dict[tuple[str, str], list[SingleReview]] = defaultdict(list)
    for each in reviews:
        if not each.struck:
            by_person[each.answer, _person(each)].append(each)
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (answer, _), said in by_person.items():
        said.sort(key=lambda each: each.at)
        for place, each in enumerate(said):
            following = said[place + 1] if place + 1 < len(said) else None
            if following is None or following.at - each.at >= APART:
                found[answer][0 if each.right else 1] += 1
    return {answer: Looks(*counts) for answer, counts in found.items()}


def struck_rates(reviews: Iterable[SingleReview]) -> FlipRates:
    """Compute which flip rates struck reviews speak for, as a floor: as many may stand unfound as were found.

    Only reviewers of whom some reviews stand are counted: one whose reviews are all struck reviews no more.

    Args:
        reviews: Struck ones and those that stand.

    Returns:
        Of the words that should have been "right" (struck "wrong" ones, and "right" ones that stand) the share that was
        struck, and the same the other way round; at most 0.3 each.

    Example:
        >>> from datetime import UTC
        >>> day = datetime(2026, 3, 1, tzinfo=UTC)
        >>> said = [SingleReview(str(n), day, "dr. x", n > 1, struck=n < 2) for n in range(10)]
        >>> struck_rates(said)
        FlipRates(right_called_wrong=0.2, wrong_called_right=0.0)
    """
    listed = list(reviews)
    standing = {_person(each) for each in listed if not each.struck}
    counts = {(struck, right): 0 for struck in (True, False) for right in (True, False)}
    for each in listed:
        if _person(each) in standing:
            counts[each.struck, each.right] += 1
    return FlipRates(
        _share(counts[True, False], counts[False, True]),
        _share(counts[True, True], counts[False, False]),
    )


def _person(review: SingleReview) -> str:
    return " ".join(review.who.split()).casefold()


def _share(struck: int, standing: int) -> float:
    return min(MAX_RATE, struck / (struck + standing)) if struck else 0.0
