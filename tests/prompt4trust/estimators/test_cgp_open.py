"""Whether the model says its answer where no options are named: how its own words are read, and what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

import pytest

from prompt4trust.estimators import get_estimator
from prompt4trust.models import Completion, Cost, Generation, Sampling
from prompt4trust.prompts import Message
from prompt4trust.verdict import Verdict
from tests.prompt4trust.estimators.scripts import OPTIONS, TEMPLATE
from tests.prompt4trust.estimators.test_second_looks import GREEDY, PICTURE, Model, Policy, written


class OwnWords(Model):
    """Chooses an option where there are options, and says something of its own where there are none."""

    def __init__(self, says: str, likely: Sequence[float]) -> None:
        super().__init__(lambda _: {"C": 0.6, "D": 0.4})
        self._says, self._shares = says, likely

    async def complete(self, messages: Sequence[Message], sampling: Sampling, **how: Any) -> Generation:
        if "Lobulated" in written(messages):
            return await super().complete(messages, sampling, **how)
        self.asked.append(messages)
        tokens = ["The answer is", f" {self._says}", " with confidence 90."] if self._says else ["Who", " can", " say?"]
        likely = [{token: log(share)} for token, share in zip(tokens, self._shares, strict=True)]
        return Generation([Completion("".join(tokens), "stop", likely, tokens)], Cost(1, 10, 5, 0.5))


@pytest.mark.parametrize(
    ("says", "shares", "expected"),
    [
        ("Lobulated", (0.9, 0.8, 0.1), 0.72 + 0.28 / 4),  # what follows the answer does not count
        ("the lobulated", (0.9, 0.8, 0.1), 0.72 + 0.28 / 4),  # the same in other words
        ("Round", (0.9, 0.8, 0.1), 0.28 / 4),  # another option
        ("Star-shaped", (0.9, 0.8, 0.1), 0.28 / 4),  # none of them
        ("Lobulated", (1.0, 1e-9, 1.0), 1 / 4),
        ("Star-shaped", (1.0, 1e-9, 1.0), 1 / 4),  # what was all but impossible tells nothing
        ("", (1.0, 1.0, 1.0), 0.5),
    ],
)
async def test_the_models_own_words_stand_for_the_answer_or_not(
    says: str, shares: Sequence[float], expected: float
) -> None:
    model = OwnWords(says, shares)
    answer = await get_estimator("cgp+open", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert (answer.verdict, answer.estimator, answer.cost.calls) == (Verdict("C", 0.9), "cgp+open", 3)
    assert answer.signals["open_support"] == pytest.approx(expected)
    alone = written(model.asked[1])
    assert "What?" in alone
    assert not any(option in alone for option in OPTIONS.values())
    assert "Weigh the edges" not in alone


@pytest.mark.parametrize(
    ("chosen", "says", "expected", "calls"),
    [
        ("None of the above", "Lobulated", 0.5, 2),  # no open answer names it
        ("Lobulated margin", "margin", 0.5, 3),  # as much another option's
        ("Lobulated margin", "a lobulated one", 0.28 / 4, 3),
        ("Lobulated margin", "lobulated", 0.72 + 0.28 / 4, 3),
    ],
)
async def test_own_words_of_several_options_and_an_option_for_none_are_no_opinion(
    chosen: str, says: str, expected: float, calls: int
) -> None:
    class Among(OwnWords):
        async def complete(self, messages: Sequence[Message], sampling: Sampling, **how: Any) -> Generation:
            if chosen in written(messages):
                return await Model.complete(self, messages, sampling, **how)
            return await super().complete(messages, sampling, **how)

    options = {**OPTIONS, "C": chosen, "D": "Sharp margin"}
    estimator = get_estimator("cgp+open", Among(says, (0.9, 0.8, 0.1)), Policy(), TEMPLATE, GREEDY)
    answer = await estimator.answer("What?", options, PICTURE)
    assert answer.verdict == Verdict("C", 0.9)
    assert answer.signals["open_support"] == pytest.approx(expected)
    assert answer.cost.calls == calls


async def test_own_words_without_probabilities_give_no_signal() -> None:
    class Unlikely(OwnWords):
        async def complete(self, messages: Sequence[Message], sampling: Sampling, **how: Any) -> Generation:
            found = await super().complete(messages, sampling, **how)
            if len(self.asked) == 1:
                return found
            text = found.completions[0].text
            return Generation([Completion(text, "stop", [{"The": 0.0}], ["The"])], found.cost)

    model = Unlikely("Lobulated", (0.9, 0.8, 0.1))
    answer = await get_estimator("cgp+open", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert (answer.verdict, "open_support" in answer.signals) == (Verdict("C", 0.9), False)
