"""The paper's guidance, and beside the stated confidence how probable the model's reply was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prompt4trust.estimators._tokens import ALTERNATIVES, letter_signals, open_signals
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.single_reply import SingleReplyEstimator
from prompt4trust.models import Downstream, Policy, Sampling
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Verdict


class CgpLogprob(SingleReplyEstimator):
    """`Cgp` at the same cost, with what log-probabilities tell among its signals.

    The confidence is the stated one, as for `Cgp`. The signals (see `letter_signals`) let a calibrator that takes two
    tell answers of one stated confidence apart: `reply_probability` foremost, the likelihood of the reply up to its
    letter (a sequence's likelihood as a measure of certainty: Malinin & Gales 2021, arXiv 2002.07650). For an open
    question it is that of the reply up to its answer's end, and the only one. They are missing where the server reports
    none; the answer is valid all the same.

    Args:
        downstream: The model that answers.
        policy: The model that writes guidance, greedily.
        template: A template of role "answer".
        sampling: The downstream model's decoding.
        alternatives: Alternatives to ask for at each token, 1 to 20.

    Raises:
        ValueError: If the template has another role.
    """

    name = "cgp+logprob"
    needs_policy = True

    def __init__(
        self,
        downstream: Downstream,
        policy: Policy,
        template: PromptTemplate,
        sampling: Sampling,
        alternatives: int = ALTERNATIVES,
    ) -> None:
        super().__init__(downstream, template, sampling)
        self._policy = policy
        self._alternatives = alternatives

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`.

        Its signals are those of log-probabilities where these are known for its letter or its text, and of its words.
        """
        guidance = await self._policy.guide(question, options)
        answer, reply = await self._ask(question, options, image_url, guidance, top_logprobs=self._alternatives)
        if not isinstance(answer.verdict, Verdict):
            return answer
        said = answer.verdict.answer
        found = letter_signals(reply, said, options) if options else open_signals(reply, said)
        return replace(answer, signals={**answer.signals, **found})
