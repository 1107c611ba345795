"""Sequential stopping of sampling: no further samples once the vote among all of them is all but decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import comb

PARTS = 5
"""Parts in which the samples are drawn, with a look at the vote after each but the last."""


@dataclass(frozen=True, slots=True)
class Look:
    """A moment at which sampling may stop.

    Attributes:
        drawn: Samples drawn by then.
        lead: Votes by which the first answer must be ahead of the second one to stop; None for never at this look.
    """

    drawn: int
    lead: int | None


@lru_cache(maxsize=64)
def looks(count: int, error: float) -> tuple[Look, ...]:
    """Plan the looks at a vote of so many samples.

    All samples are alike before they are drawn, so the first m of N are a random m of them. If in the end a of the N
    are for one answer and at least as many for another, then the probability that the first answer leads by d or more
    at one of the looks is greatest where the two share all N votes as evenly as they can, and is counted there exactly,
    path by path. The leads are the smallest that keep that probability within the error, of which each look may use up
    an equal share, with what the looks before it have left.

    Args:
        count: Samples of the full vote, at least 2.
        error: Probability, in (0, 1), that the answer at which sampling stops is not that of the full vote.

    Returns:
        The looks before all are drawn, in order; none for a count that is too small.

    Example:
        >>> looks(21, 0.05)
        (Look(drawn=5, lead=5), Look(drawn=10, lead=6), Look(drawn=15, lead=5), Look(drawn=20, lead=2))
    """
    places = range(-(-count // PARTS), count, -(-count // PARTS))
    weaker, stronger = count // 2, count - count // 2
    # Orders of the drawn votes that have not stopped yet: votes for the weaker answer -> number of ways.
    going: dict[int, float] = {0: 1.0}
    planned: list[Look] = []
    used, before = 0.0, 0
    for index, drawn in enumerate(places, 1):
        going = _drawn_on(going, before, drawn - before, weaker, stronger)
        before = drawn
        lead: int | None = None
        spent = used
        for wanted in range(drawn, 0, -2):  # of two answers alone, others cannot be
            wrong = sum(share for votes, share in going.items() if 2 * votes - drawn >= wanted)
            if used + wrong > error * index / len(places):
                break
            lead, spent = wanted, used + wrong
        used = spent
        if lead is not None:
            going = {votes: share for votes, share in going.items() if abs(2 * votes - drawn) < lead}
        planned.append(Look(drawn, lead))
    return tuple(planned)


def _drawn_on(going: dict[int, float], before: int, more: int, weaker: int, stronger: int) -> dict[int, float]:
    """Draw more votes from what is left of both answers', whatever was drawn before."""
    result: dict[int, float] = {}
    for votes, share in going.items():
        left_weaker, left_stronger = weaker - votes, stronger - (before - votes)
        ways = comb(left_weaker + left_stronger, more)
        for new in range(min(more, left_weaker) + 1):
            if more - new <= left_stronger:
                part = share * comb(left_weaker, new) * comb(left_stronger, more - new) / ways
                result[votes + new] = result.get(votes + new, 0.0) + part
    return result


def is_decided(answers: Iterable[str], look: Look) -> bool:
    """Whether the answers drawn by a look, those without a verdict left out, decide the vote.

    Example:
        >>> is_decided(["B", "B", "B", "B", "B"], Look(5, 5)), is_decided(["B", "B", "B", "B", "A"], Look(5, 5))
        (True, False)
    """
    counts = [count for _, count in Counter(answers).most_common(2)]
    return look.lead is not None and bool(counts) and counts[0] - (counts[1] if len(counts) > 1 else 0) >= look.lead
