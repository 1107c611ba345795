"""Top-k guesses: the model names several answers with a probability each, and the likeliest is its answer."""

from __future__ import annotations

from collections.abc import Mapping

from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.option_signals import option_signals
from prompt4trust.estimators.single_reply import check_template, first_completion
from prompt4trust.models import Decoding, Downstream, Sampling
from prompt4trust.prompts import PromptTemplate, guess_messages, load_template
from prompt4trust.verdict import Invalid, Verdict, read_guesses

GUESSES = 4
"""Guesses asked for, or as many as there are options, if fewer: the most that Tian et al. try."""
TEMPLATE = "guesses-standard@1"


class TopK:
    """Guesses with probabilities (Verb. 1S top-k of Tian et al. 2023, arXiv 2305.14975), by a wording of our own.

    A model that has to name what else may be right states less for its first guess than one that is asked for one
    answer. The answer is the guess with the highest probability, of equal ones the first; the confidence is that
    probability, divided by the sum of all where that is above 1. Signals in [0, 1]:

    - guess_margin: its lead on the next guess, on 0 where there is none;
    - mass_left: what the guesses leave for other answers;
    - a probability for each option: its guess's, and an even share of what is left.

    The reply is read strictly (`read_guesses`): what is no list of guesses, or names an option twice, has no verdict.
    Open questions are answered too. The wording is a template of role "guesses", which belongs to the method: the
    answer template of a run plays no part.

    Args:
        downstream: The model that answers.
        template: A template of role "answer", as for all estimators.
        sampling: Its decoding.
        guesses: Guesses to ask for, at least 2.

    Raises:
        ValueError: If the template has another role, or guesses are too few.
    """

    name = "top-k"
    needs_policy = False

    def __init__(
        self, downstream: Downstream, template: PromptTemplate, sampling: Sampling, guesses: int = GUESSES
    ) -> None:
        check_template(template)
        if guesses < 2:
            raise ValueError("top-k asks for at least 2 guesses")
        self._downstream = downstream
        self._sampling = sampling
        self._guesses = guesses
        self._wording = load_template(TEMPLATE)

    @property
    def decoding(self) -> Decoding:
        """The decoding of the reply; see `Estimator.decoding`."""
        return Decoding.of(self._sampling)

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`."""
        count = min(self._guesses, len(options)) if options else self._guesses
        messages = guess_messages(self._wording, question, options, count, image_url=image_url)
        generation = await self._downstream.complete(messages, self._sampling)
        reply = first_completion(generation)
        guesses = read_guesses(reply.text, options, count, question=question, finish_reason=reply.finish_reason)
        if isinstance(guesses, Invalid):
            return Answer(guesses, reply.text, self.name, cost=generation.cost)
        first, rival = guesses[0], guesses[1].probability if len(guesses) > 1 else 0.0
        left = max(1 - sum(guess.probability for guess in guesses), 0.0)
        named = {guess.answer: guess.probability for guess in guesses}
        signals = {"guess_margin": first.probability - rival, "mass_left": left}
        if options:
            signals |= option_signals({letter: named.get(letter, 0.0) + left / len(options) for letter in options})
        verdict = Verdict(first.answer, first.probability)
        return Answer(verdict, reply.text, self.name, cost=generation.cost, signals=signals)
