"""The model's own probability of its answer: of the letter among the option letters, or of an open reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prompt4trust.estimators._tokens import ALTERNATIVES, letter_signals, text_probability
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.single_reply import SingleReplyEstimator
from prompt4trust.models import Downstream, Sampling
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Invalid, Verdict


class Logprob(SingleReplyEstimator):
    """The probability of the answer's letter among the option letters (as in Kadavath et al. 2022, arXiv 2207.05221).

    The reply is decoded as for `Verbalized`; the probability is that at the token that writes the letter of its
    verdict (see `letter_signals`). It is the probability given all that was written before: a model that names its
    finding first has mostly decided by then, and the figure is high for that reason. The signal reply_probability,
    which counts what was written before, is low where that was a close call.

    An open question has no letters: the confidence is the probability of the whole reply up to its answer's end (a
    sequence's likelihood: Malinin & Gales 2021, arXiv 2002.07650; see `text_probability`).

    The answer is invalid with the reason "no_logprobs" where the server reports none, or none for that token, or not of
    all tokens up to an open answer. A server that refuses the request is a TransportError, as ever.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Its decoding.
        alternatives: Alternatives to ask for at each token, 1 to 20.

    Raises:
        ValueError: If the template has another role.
    """

    name = "logprob"
    needs_policy = False

    def __init__(
        self,
        downstream: Downstream,
        template: PromptTemplate,
        sampling: Sampling,
        alternatives: int = ALTERNATIVES,
    ) -> None:
        super().__init__(downstream, template, sampling)
        self._alternatives = alternatives

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`."""
        asked, reply = await self._ask(question, options, image_url, top_logprobs=self._alternatives)
        if isinstance(asked.verdict, Invalid):
            return asked
        said, stated = asked.verdict.answer, asked.verdict.confidence
        found = letter_signals(reply, said, options) if options else {}
        confidence = found.get("letter_probability") if options else text_probability(reply, said)
        if confidence is None:
            return replace(asked, verdict=Invalid("no_logprobs"), signals={**asked.signals, "stated": stated})
        return replace(
            asked,
            verdict=Verdict(said, confidence),
            signals={**asked.signals, "stated": stated, **found},
        )
