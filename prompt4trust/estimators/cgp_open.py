"""The model's own words: whether it says the chosen option where no options are named to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from prompt4trust.estimators._second_looks import SecondLook, SecondLooks
from prompt4trust.estimators._tokens import text_probability
from prompt4trust.estimators._words import NO_OPINION, says_none, words_name
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Cost
from prompt4trust.verdict import Verdict

SIGNAL: Final = "open_support"


class CgpOpen(SecondLooks):
    """`CgpLogprob`, and the same question as an open one, to see whether the answer is the model's without its options.

    Among options a model takes the nearest, even where none is right, and says so with confidence. Asked without them
    it says what it sees. The signal open_support, in [0, 1], is the probability that its own words name the chosen
    option: with p for that of the open reply up to its answer's end and k options, p + (1 - p) / k where its words name
    that option (`words_name`), else (1 - p) / k, since nobody knows what it would have said in other words. So a long
    sentence, whose p is near 0, tells nothing whichever way it goes. The same in words of another stem ("cardiomegaly",
    "enlarged heart") is not seen, and counts as something else.

    The second reply has the same wording and no guidance, which was written for the options. One without an answer, or
    whose words are those of several options, is no opinion, 0.5. So is an option that says that none is right: no open
    answer names it, and none is asked for. The signal is missing where the server reports no log-probabilities, or not
    of all tokens up to the answer, or where no beginning of the reply reads as its answer, and for an open question;
    the answer is valid all the same. The formula is our own.

    Args and errors are those of `CgpLogprob`.
    """

    name = "cgp+open"

    async def _looks(
        self, question: str, options: Mapping[str, str], image_url: str | None, answer: Answer
    ) -> Sequence[SecondLook]:
        if not isinstance(answer.verdict, Verdict):
            return ()
        chosen = answer.verdict.answer
        return [SecondLook("cgp+logprob", partial(self._own_words, question, image_url, chosen, options))]

    async def _own_words(
        self, question: str, image_url: str | None, chosen: str, options: Mapping[str, str]
    ) -> tuple[dict[str, float], Cost]:
        if says_none(options[chosen]):
            return {SIGNAL: NO_OPINION}, Cost()
        said, reply = await self._ask(question, {}, image_url, top_logprobs=self._alternatives)
        if not isinstance(said.verdict, Verdict):
            return {SIGNAL: NO_OPINION}, said.cost
        probability = text_probability(reply, said.verdict.answer)
        if probability is None:
            return {}, said.cost
        named = words_name(said.verdict.answer, options)
        if chosen in named and len(named) > 1:
            return {SIGNAL: NO_OPINION}, said.cost
        return {SIGNAL: open_support(probability, len(options), agrees=chosen in named)}, said.cost


def open_support(probability: float, count: int, *, agrees: bool) -> float:
    """Compute how far the model's own words stand for an option.

    Args:
        probability: Of its open reply up to the answer's end, in [0, 1].
        count: Number of options, at least 1.
        agrees: Whether the open answer says the same as the option.

    Returns:
        In [0, 1]; 1 / count where the probability is 0.

    Example:
        >>> round(open_support(0.9, 4, agrees=True), 3), round(open_support(0.9, 4, agrees=False), 3)
        (0.925, 0.025)
    """
    return (probability if agrees else 0.0) + (1 - probability) / count
