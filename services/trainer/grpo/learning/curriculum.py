"""The order of a run's questions: a plain one, or one in which they come into play by their difficulty."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Sequence


def draw_order(count: int, needed: int, seed: int) -> list[int]:
    """Draw the order of the questions: permutation after permutation, so that none is seen twice before all were.

    The whole order is fixed before the run begins. A resumed run then only has to know how far it came.

    Args:
        count: Number of questions, at least 1.
        needed: Length of the order.
        seed: Of the permutations.

    Returns:
        Indices below count.
    """
    rng = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    order: list[int] = []
    while len(order) < needed:
        turn = list(range(count))
        rng.shuffle(turn)
        order += turn
    return order[:needed]


def draw_by_difficulty(
    difficulty: Sequence[float | None],
    batches: int,
    prompts: int,
    share: Callable[[int], float],
    *,
    hard_first: bool = False,
    seed: int,
) -> list[int]:
    """Draw an order in which a growing share of the questions is in play, the easiest of them or the hardest.

    Those in play take turns, like those of draw_order: none comes again before the others have come. A question that
    comes into play joins the turn in progress, so it isn't asked more often to catch up.

    Args:
        difficulty: The questions' difficulties; None for one that could not be measured, which comes into play last.
        batches: Number of batches.
        prompts: Questions of a batch.
        share: The share in play, in (0, 1], by a batch's number from 0; it must not fall.
        hard_first: Whether the hardest are in play first; else the easiest.
        seed: Of the order within a turn, and of that of equally difficult questions.

    Returns:
        batches x prompts indices of the questions. No batch has a question twice if there are enough of them. Of as
        many questions as indices each comes exactly once, if no batch needs more of them than are in play by then.

    Example:
        >>> draw_by_difficulty([0.9, 0.1, None, 0.4], 2, 2, lambda batch: (0.5, 1.0)[batch], seed=0)
        [3, 1, 0, 2]
    """
    rng = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    sign = -1.0 if hard_first else 1.0
    ranked = sorted(
        range(len(difficulty)),
        key=lambda index: (math.inf if (value := difficulty[index]) is None else sign * value, rng.random()),
    )
    waiting: list[tuple[int, float, int]] = []  # turn, place in it, question
    turn, entered, order = 0, 0, []
    for batch in range(batches):
        # A batch's worth at least. What a product of decimals is too large by rounding is no question more.
        in_play = min(len(ranked), max(prompts, math.ceil(share(batch) * len(ranked) - 1e-9)))
        while entered < in_play:
            heapq.heappush(waiting, (turn, rng.random(), ranked[entered]))
            entered += 1
        asked: list[tuple[int, float, int]] = []  # back in line once the batch is full, so that it has none twice
        for _ in range(prompts):
            if not waiting:
                waiting, asked = asked, []
                heapq.heapify(waiting)
            turn, _, index = heapq.heappop(waiting)
            order.append(index)
            asked.append((turn + 1, rng.random(), index))
        for each in asked:
            heapq.heappush(waiting, each)
    return order
