"""The order of a run's questions, plain and by difficulty."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy.stats import spearmanr

from services.trainer.grpo.config.curriculum_config import CurriculumConfig
from services.trainer.grpo.learning.curriculum import draw_by_difficulty, draw_order
from tests.support.models import share


def test_every_question_comes_before_any_comes_again() -> None:
    order = draw_order(10, 35, seed=1)
    assert all(Counter(order[at : at + 10]) == Counter(range(10)) for at in (0, 10, 20))
    assert order[:10] != order[10:20]
    assert order == draw_order(10, 35, seed=1)
    assert order[:20] == draw_order(10, 20, seed=1)  # a longer run begins alike
    assert order != draw_order(10, 35, seed=2)


def hardness(count: int) -> list[float | None]:
    return [share(f"question {index}") for index in range(count)]


@pytest.mark.parametrize("hard_first", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_a_run_of_one_pass_sees_each_question_once_and_the_first_ones_first(seed: int, *, hard_first: bool) -> None:
    curriculum, difficulty = CurriculumConfig(start_share=0.2, steps=20), hardness(120)
    order = draw_by_difficulty(difficulty, 30, 4, curriculum.share, hard_first=hard_first, seed=seed)
    assert Counter(order) == Counter(range(120))
    place = spearmanr(range(120), [difficulty[index] for index in order]).statistic
    assert (place < -0.2) if hard_first else (place > 0.2)
    ranked = sorted(range(120), key=lambda index: difficulty[index] or 0, reverse=hard_first)
    for step, batch in enumerate(batches_of(order, 4)):
        in_play = round(120 * (0.2 + 0.8 * min(1, step / 20)) + 0.5)
        assert set(batch) <= set(ranked[:in_play])
    assert order == draw_by_difficulty(difficulty, 30, 4, curriculum.share, hard_first=hard_first, seed=seed)
    assert order != draw_by_difficulty(difficulty, 30, 4, curriculum.share, hard_first=hard_first, seed=seed + 99)


def test_in_many_passes_a_question_that_comes_later_is_not_asked_more_often_to_catch_up() -> None:
    difficulty = hardness(20)
    order = draw_by_difficulty(difficulty, 100, 4, CurriculumConfig(start_share=0.25, steps=50).share, seed=0)
    for batch in batches_of(order, 4):
        assert len(set(batch)) == 4
    # From the step on at which all are in play, turns are whole.
    seen = Counter(order[200:])
    assert max(seen.values()) - min(seen.values()) <= 2
    easiest = min(range(20), key=lambda index: difficulty[index] or 0)
    hardest = max(range(20), key=lambda index: difficulty[index] or 0)
    assert Counter(order)[easiest] > 1.5 * Counter(order)[hardest]


def test_what_could_not_be_measured_comes_last_whatever_comes_first() -> None:
    difficulty = [None, 0.0, 1.0, None]
    for hard_first in (False, True):
        order = draw_by_difficulty(difficulty, 2, 2, (0.5, 1.0).__getitem__, hard_first=hard_first, seed=0)
        assert (set(order[:2]), set(order[2:])) == ({1, 2}, {0, 3})


def test_equally_hard_questions_come_in_an_order_of_the_seed() -> None:
    drawn = {tuple(draw_by_difficulty([0.5] * 6, 6, 1, lambda _: 0.1, seed=seed)) for seed in range(9)}
    assert len({order[0] for order in drawn}) > 1


def test_a_batch_larger_than_the_data_takes_turns() -> None:
    order = draw_by_difficulty([0.1, 0.9], 1, 5, lambda _: 0.01, seed=0)
    assert sorted(Counter(order).values()) == [2, 3]


def batches_of(order: list[int], prompts: int) -> list[tuple[int, ...]]:
    return [tuple(order[at : at + prompts]) for at in range(0, len(order), prompts)]
