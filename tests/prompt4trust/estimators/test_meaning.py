"""Agreement by meaning as an estimator, and open answers of the other sampling estimators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from prompt4trust.errors import EncoderMissingError
from prompt4trust.estimators import Meaning, MeaningEncoder, get_estimator, wording_of
from prompt4trust.estimators._samples import Draws
from prompt4trust.meaning.bert import Floats
from prompt4trust.models import Cost, Sampling
from prompt4trust.verdict import Invalid, Verdict
from tests.prompt4trust.estimators.scripts import IMAGE, OPTIONS, TEMPLATE, Texts, said

GREEDY = Sampling(max_tokens=77)


def stated(answer: str) -> str:
    return f"The answer is {answer} with confidence 80."


async def test_the_largest_group_answers_whatever_its_words() -> None:
    texts = [
        stated("a mass"),
        stated("pulmonary oedema"),
        stated("Pulmonary edema"),
        "I cannot say.",
        stated("the pulmonary edema"),
    ]
    estimator = Meaning(Texts(texts), TEMPLATE, GREEDY, Draws(5))
    answer = await estimator.answer("What is it?", {}, IMAGE)
    assert answer.verdict == Verdict("pulmonary oedema", 0.6)
    assert answer.text == texts[1]
    assert answer.signals["agreement"] == 0
    assert answer.signals["invalid_share"] == pytest.approx(0.2)
    assert 0 < answer.signals["semantic_certainty"] < 1
    assert 0 < answer.signals["centrality"] < 1
    assert (estimator.decoding.samples, answer.cost) == (5, Cost(5, 10, 25, 0.5))


async def test_letters_are_groups_of_their_own() -> None:
    texts = [said("A", 90), said("B", 10), *[said("B", 50)] * 19]
    answer = await get_estimator("meaning", Texts(texts), None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert answer.verdict == Verdict("B", 20 / 21)
    assert answer.text == texts[1]


async def test_open_answers_of_one_sign_are_one_in_either_case() -> None:
    texts = [stated("L"), stated("l"), stated("R")]
    answer = await Meaning(Texts(texts), TEMPLATE, GREEDY, Draws(3)).answer("Which side?", {}, IMAGE)
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.answer == "L"
    assert answer.verdict.confidence == pytest.approx(2 / 3)


async def test_without_a_verdict_there_is_no_agreement() -> None:
    answer = await Meaning(Texts(["Hm."] * 3), TEMPLATE, GREEDY, Draws(3)).answer("What is it?", {}, IMAGE)
    assert answer.verdict == Invalid("no_answer")
    assert "semantic_certainty" not in answer.signals


async def test_consistency_sees_through_spelling() -> None:
    texts = [stated("CT scan"), *[stated("computed tomography")] * 15, *[stated("MRI")] * 5]
    answer = await get_estimator("consistency", Texts(texts), None, TEMPLATE, GREEDY).answer("Which?", {}, IMAGE)
    assert answer.verdict == Verdict("CT scan", 0.75)


class NearWords:
    """An encoder that knows two words for one thing."""

    def encode(self, texts: Sequence[str]) -> Floats:
        return np.array([[1, 0] if text in ("lung mass", "pulmonary mass") else [0, 1] for text in texts], np.float32)


async def test_an_encoder_joins_other_words_for_the_same() -> None:
    texts = [stated("fracture"), stated("lung mass"), stated("a pulmonary mass"), "Hm.", stated("Lung mass")]
    estimator = MeaningEncoder(Texts(texts), TEMPLATE, GREEDY, Draws(5), encoder=NearWords)
    answer = await estimator.answer("What is it?", {}, IMAGE)
    assert (answer.verdict, answer.estimator) == (Verdict("lung mass", 0.6), "meaning+encoder")
    measures = {"semantic_certainty", "centrality", "embedded_degree", "embedded_centrality", "semantic_concentration"}
    assert all(0 < answer.signals[name] < 1 for name in measures)
    assert wording_of(answer.estimator, "answer@1") == "answer@1, answers compared by minilm-2"
    letters = [said("A", 90), *[said("B", 50)] * 2]
    chosen = await MeaningEncoder(Texts(letters), TEMPLATE, GREEDY, Draws(3), encoder=NearWords).answer(
        "Shape?", OPTIONS, IMAGE
    )
    assert chosen.verdict == Verdict("B", 2 / 3)


async def test_without_an_encoder_the_answer_is_that_of_the_spelling_and_says_so() -> None:
    def missing() -> NearWords:
        raise EncoderMissingError("not installed")

    texts = [stated("fracture"), stated("lung mass"), stated("pulmonary mass"), stated("fracture")]
    answer = await MeaningEncoder(Texts(texts), TEMPLATE, GREEDY, Draws(4), encoder=missing).answer("?", {}, IMAGE)
    plain = await Meaning(Texts(texts), TEMPLATE, GREEDY, Draws(4)).answer("?", {}, IMAGE)
    assert answer == plain
    assert wording_of(answer.estimator, "answer@1") == "answer@1"
