"""Guesses with probabilities as an estimator: what is asked, the answer, its signals."""

from __future__ import annotations

import pytest

from prompt4trust.estimators import TopK, get_estimator
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.models import Cost, Decoding, Sampling
from prompt4trust.verdict import Invalid, Verdict
from tests.prompt4trust.estimators.scripts import IMAGE, OPTIONS, TEMPLATE, Texts, said
from tests.support.models import prompt_text

SAMPLING = Sampling(0.3, 0.8, 7, 99, seed=3)


async def test_the_likeliest_guess_is_the_answer() -> None:
    downstream = Texts(["B: 20%\nC: 60%\nA: 10%"])
    estimator = get_estimator("top-k", downstream, None, TEMPLATE, SAMPLING)
    answer = await estimator.answer("What shape?", OPTIONS, IMAGE)
    assert answer.verdict == Verdict("C", 0.6)
    assert answer.signals["guess_margin"] == pytest.approx(0.4)
    assert answer.signals["mass_left"] == pytest.approx(0.1)
    shares = {"A": 0.125, "B": 0.225, "C": 0.625, "D": 0.025}
    assert option_probabilities(answer.signals) == pytest.approx(shares)
    assert (answer.text, answer.cost) == ("B: 20%\nC: 60%\nA: 10%", Cost(1, 10, 5, 0.5))
    [(messages, sampling, n)] = downstream.requests
    assert (sampling, n, estimator.decoding) == (SAMPLING, 1, Decoding.of(SAMPLING))
    asked = prompt_text(messages)
    assert "Name 4 different answers" in asked
    assert "D. Spiculated" in asked
    assert not set("{}") & set(asked)
    assert messages[-1]["content"][0]["image_url"]["url"] == IMAGE


async def test_no_more_guesses_are_asked_for_than_there_are_options() -> None:
    downstream = Texts(["A: 80%", "A: 20%\nB: 10%\nA: 9%"])
    estimator = TopK(downstream, TEMPLATE, SAMPLING)
    answer = await estimator.answer("Which side?", {"A": "Left", "B": "Right"}, None)
    assert "Name 2 different" in prompt_text(downstream.requests[0][0])
    assert answer.signals["guess_margin"] == 0.8
    assert option_probabilities(answer.signals) == pytest.approx({"A": 0.9, "B": 0.1})
    again = await estimator.answer("Which side?", {"A": "Left", "B": "Right"}, None)
    assert (again.verdict, again.signals) == (Invalid("ambiguous"), {})


async def test_open_questions_and_replies_of_another_form() -> None:
    downstream = Texts(["Effusion: 70%\nMass: 50%", said("B", 90)])
    estimator = TopK(downstream, TEMPLATE, SAMPLING)
    answer = await estimator.answer("What is it?", {}, IMAGE)
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.answer == "Effusion"
    assert answer.verdict.confidence == pytest.approx(0.7 / 1.2)
    assert option_probabilities(answer.signals) == {}
    assert (await estimator.answer("Shape?", OPTIONS, IMAGE)).verdict == Invalid("no_answer")


def test_one_guess_is_no_choice() -> None:
    with pytest.raises(ValueError, match="at least 2 guesses"):
        TopK(Texts([]), TEMPLATE, SAMPLING, 1)
