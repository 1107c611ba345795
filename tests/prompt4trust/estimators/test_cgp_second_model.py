"""A second model's opinion of the first one's answer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prompt4trust.errors import SecondModelNeededError
from prompt4trust.estimators import get_estimator, wording_of
from prompt4trust.estimators.cgp_second_model import SIGNAL, CgpSecondModel
from prompt4trust.models import Cost
from prompt4trust.verdict import Invalid, Verdict
from tests.prompt4trust.estimators.scripts import OPTIONS, TEMPLATE
from tests.prompt4trust.estimators.test_second_looks import GREEDY, NONE, PICTURE, Failing, Model, Policy, written

NAME = CgpSecondModel.name


def says(probabilities: Mapping[str, float], *, offered: bool = True) -> Model:
    return Model(lambda _: probabilities, offered=offered)


@pytest.mark.parametrize(
    ("second", "opinion"),
    [({"A": 0.9, "B": 0.1}, 0.9), ({"B": 0.75, "A": 0.2, "C": 0.05}, 0.2), ({"D": 1.0}, 0.0), (NONE, 0.25)],
)
async def test_the_opinion_is_the_second_model_s_probability_of_the_answer(
    second: Mapping[str, float], opinion: float
) -> None:
    first, other = says({"A": 0.6, "B": 0.4}), says(second)
    estimator = get_estimator(NAME, first, Policy(), TEMPLATE, GREEDY, second=other)
    answer = await estimator.answer("What?", OPTIONS, PICTURE)
    assert (answer.verdict, answer.estimator) == (Verdict("A", 0.9), NAME)
    assert answer.signals[SIGNAL] == pytest.approx(opinion, abs=1e-6)
    assert answer.signals["letter_probability"] == pytest.approx(0.6)
    assert answer.cost == Cost(3, 27, 13, 1.25)
    assert "Weigh the edges" in written(first.asked[0])
    assert "Weigh the edges" not in written(other.asked[0])
    assert "What?" in written(other.asked[0])


async def test_an_opinion_that_cannot_be_had_leaves_the_answer_of_one_model() -> None:
    for second in (Failing(lambda _: True), says({"A": 0.9, "B": 0.1}, offered=False)):
        estimator = get_estimator(NAME, says({"A": 0.7, "B": 0.3}), Policy(), TEMPLATE, GREEDY, second=second)
        answer = await estimator.answer("What?", OPTIONS, PICTURE)
        assert (answer.verdict, answer.estimator) == (Verdict("A", 0.9), "cgp+logprob")
        assert answer.lost is not None
        assert SIGNAL not in answer.signals


async def test_the_second_model_is_asked_only_where_there_is_an_answer_to_judge() -> None:
    second = says({"A": 0.9, "B": 0.1})
    for first, options, verdict in (
        (says(NONE), OPTIONS, Invalid("no_answer")),
        (says({"A": 0.7, "B": 0.3}, offered=False), OPTIONS, Verdict("A", 0.9)),
        (says({"A": 0.7, "B": 0.3}), {}, Invalid("no_answer")),  # the reply to an open question is a letter
    ):
        estimator = get_estimator(NAME, first, Policy(), TEMPLATE, GREEDY, second=second)
        assert (await estimator.answer("What?", options, PICTURE)).verdict == verdict
    assert second.asked == []


def test_it_takes_a_second_model() -> None:
    with pytest.raises(SecondModelNeededError, match="'cgp\\+second-model' needs a second"):
        get_estimator(NAME, says(NONE), Policy(), TEMPLATE, GREEDY)


def test_evidence_names_the_second_model_and_evidence_of_other_methods_does_not() -> None:
    assert wording_of(NAME, "answer@1", "llava") != wording_of(NAME, "answer@1", "qwen")
    assert wording_of("cgp+logprob", "answer@1", "llava") == wording_of("cgp+logprob", "answer@1")
