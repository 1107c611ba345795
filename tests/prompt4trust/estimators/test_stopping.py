"""Sampling that ends when the vote is decided: its error, whatever the votes; the answers, costs and requests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from prompt4trust.estimators import Answer, CgpVote, get_estimator
from prompt4trust.estimators._samples import Draws
from prompt4trust.estimators._stopping import is_decided, looks
from prompt4trust.models import Decoding, Sampling
from prompt4trust.verdict import Invalid, Verdict
from tests.prompt4trust.estimators.scripts import IMAGE, OPTIONS, TEMPLATE, Texts, said
from tests.support.models import ScriptedPolicy

GREEDY = Sampling(max_tokens=77)


def check(answer: Answer, text: str, confidence: float) -> None:
    """The answer and its confidence are these."""
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.answer == text
    assert answer.verdict.confidence == pytest.approx(confidence)


def stops(votes: Sequence[int], count: int, error: float, draws: int, seed: int) -> tuple[float, float]:
    """Share of random orders whose vote ends as another than the full one, and the mean number of samples drawn."""
    rng = np.random.default_rng(seed)
    full = np.repeat(np.arange(len(votes)), votes)
    wrong = drawn = 0
    for _ in range(draws):
        order = [str(each) for each in rng.permutation(full)]
        ends = next((each.drawn for each in looks(count, error) if is_decided(order[: each.drawn], each)), count)

        def leader(part: list[str]) -> str:
            return max(dict.fromkeys(part), key=part.count)

        wrong += leader(order[:ends]) != leader(order)
        drawn += ends
    return wrong / draws, drawn / draws


@pytest.mark.parametrize("votes", [(11, 10), (10, 10, 1), (7, 7, 7), (9, 8, 4), (6, 5, 5, 5)])
def test_the_error_is_kept_for_the_closest_votes(votes: tuple[int, ...]) -> None:
    wrong, _ = stops(votes, 21, 0.05, 1500, seed=len(votes))
    assert wrong <= 0.05 - 3 * (0.05 * 0.95 / 1500) ** 0.5


def test_the_error_of_the_closest_vote_is_counted_exactly() -> None:
    # Of 21 samples, 5 alike of the 10 stop wrongly at the first look: C(10, 5) / C(21, 5) is half of it.
    wrong, _ = stops((11, 10), 21, 0.05, 4000, seed=9)
    assert wrong == pytest.approx(0.0247, abs=4 * (0.0247 / 4000) ** 0.5)


def test_clear_votes_end_early() -> None:
    assert stops((21,), 21, 0.05, 1, seed=1) == (0.0, 5.0)
    _, drawn = stops((18, 3), 21, 0.05, 300, seed=2)
    assert drawn < 10


def test_the_plan_is_the_stricter_the_smaller_the_error() -> None:
    leads = [[each.lead or 99 for each in looks(21, error)] for error in (0.2, 0.05, 0.01, 1e-6)]
    for less, more in pairwise(leads):
        assert all(loose <= strict for loose, strict in zip(less, more, strict=True))
    assert looks(2, 0.05)[0].lead is None
    assert not is_decided([], looks(21, 0.05)[0])


async def test_a_vote_without_doubt_takes_half_of_the_samples() -> None:
    downstream = Texts([said("B", 90)] * 10)
    answer = await get_estimator("cgp+vote", downstream, ScriptedPolicy(), TEMPLATE, GREEDY).answer(
        "Q?", OPTIONS, IMAGE
    )
    # Ten votes for it, and five further ones of which nine tenths are.
    check(answer, "B", (10 + 5 * 0.9) / 15)
    assert (answer.signals["samples_drawn"], answer.signals["vote_share"]) == (10, 1.0)
    assert answer.cost.calls == 11
    # At five samples nothing decides with so small an error, so that no request ends there.
    assert [n for _, _, n in downstream.requests] == [10]


async def test_a_close_vote_takes_them_all_and_the_most_frequent_wins() -> None:
    head = [said("A", 10), *[said("B", 90)] * 6, *[said("A", 80)] * 4, "I cannot say."]
    texts = [*head, *[said("B", 70), said("A", 60)] * 4, said("B", 50)]
    downstream = Texts(texts)
    answer = await get_estimator("cgp+vote", downstream, ScriptedPolicy(), TEMPLATE, GREEDY).answer(
        "Q?", OPTIONS, IMAGE
    )
    stated = (6 * 0.9 + 4 * 0.7 + 0.5) / 11  # by those that say so
    check(answer, "B", (11 + 5 * stated) / 26)
    assert answer.signals["vote_share"] == 11 / 21
    assert answer.text == texts[1]
    assert [n for _, _, n in downstream.requests] == [10, 5, 5, 1]
    assert len({sampling.seed for _, sampling, _ in downstream.requests}) == 4
    assert answer.signals["samples_drawn"] == 21


async def test_samples_without_a_verdict_have_no_vote() -> None:
    estimator = CgpVote(Texts(["I cannot say."] * 21), ScriptedPolicy(), TEMPLATE, GREEDY)
    answer = await estimator.answer("Q?", OPTIONS, IMAGE)
    assert (answer.verdict, answer.signals["samples_drawn"]) == (Invalid("no_answer"), 21)
    assert "vote_share" not in answer.signals
    open_one = CgpVote(Texts(["The answer is Effusion with confidence 60."] * 10), ScriptedPolicy(), TEMPLATE, GREEDY)
    check(await open_one.answer("Q?", {}, IMAGE), "Effusion", (10 + 3) / 15)


async def test_answers_on_which_all_agree_are_told_apart_by_what_the_samples_state() -> None:
    found = []
    for stated in (20, 60, 95):
        estimator = CgpVote(Texts([said("B", stated)] * 10), ScriptedPolicy(), TEMPLATE, GREEDY)
        verdict = (await estimator.answer("Q?", OPTIONS, IMAGE)).verdict
        assert isinstance(verdict, Verdict)
        found.append(verdict.confidence)
    assert found == sorted(set(found))


def test_calibrators_of_the_bare_share_do_not_fit() -> None:
    estimator = CgpVote(Texts([]), ScriptedPolicy(), TEMPLATE, GREEDY)
    bare = Decoding.of(Sampling(0.5, 0.95, 100, 77), 21, 0.02)  # as it would be recorded of the bare share
    assert estimator.decoding != bare
    assert estimator.decoding.model_copy(update={"counted": None}) == bare


def test_an_error_is_a_probability() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Draws(error=1.0)
