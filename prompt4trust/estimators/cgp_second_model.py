"""A second model's opinion: the same question to another downstream model, and how probable it finds the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from prompt4trust.errors import TransportError
from prompt4trust.estimators._second_looks import LeftS, SecondLook, SecondLooks, without_end
from prompt4trust.estimators._tokens import ALTERNATIVES
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.logprob import Logprob
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.models import Cost, Downstream, Policy, Sampling
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Invalid, Verdict

SIGNAL: Final = "second_opinion"
_NO_LOGPROBS = "the second model's server reports no log-probabilities of its letter"


class CgpSecondModel(SecondLooks):
    """`CgpLogprob`, and the same question to a second model, which errs on other questions than the first.

    The answer stays the first model's. The signal second_opinion, in [0, 1], is the probability of that answer's letter
    among the options by the second model. It is asked by the same wording and decoding, and without guidance, so that
    it needs no policy of its own. A reply of the second without a verdict is no opinion: an even share. Where its
    server reports no log-probabilities the look counts as lost, and the answer is that of `CgpLogprob`. The signal is
    missing where the first model's log-probabilities are, and for an open question.

    After the committees of Seung et al. 1992 and the cross-model agreement of later work on language models; the form
    is our own. What it is worth depends on how differently the two err, so calibrators name both models.

    Args and errors are those of `CgpLogprob`, and:
        second: The second model.
        left_s: How long looks may take, asked for once the answer is there.

    Example:
        >>> import asyncio
        >>> from math import log
        >>> from prompt4trust.models import Completion, Cost, Generation, Guidance
        >>> from prompt4trust.prompts import load_template
        >>> class Scripted:
        ...     def __init__(self, shares):
        ...         self.shares = {f" {letter}": log(share) for letter, share in shares.items()}
        ...     async def complete(self, messages, sampling, *, n=1, top_logprobs=None):
        ...         letter = max(self.shares, key=self.shares.get)
        ...         tokens = ["The answer is", letter, " with confidence 80."]
        ...         likely = [{tokens[0]: 0.0}, self.shares, {tokens[2]: 0.0}]
        ...         return Generation([Completion("".join(tokens), "stop", likely, tokens)], Cost(calls=1))
        ...     async def guide(self, question, options, *, seed=None):
        ...         return Guidance("Weigh the edges.", "policy-1", Cost(calls=1))
        >>> first, second = Scripted({"A": 0.9, "B": 0.1}), Scripted({"A": 0.25, "B": 0.75})
        >>> sampling, template = Sampling(), load_template("answer-compact@1")
        >>> estimator = CgpSecondModel(first, second, first, template, sampling)
        >>> answer = asyncio.run(estimator.answer("Which side?", {"A": "Left", "B": "Right"}, None))
        >>> answer.verdict, round(answer.signals["second_opinion"], 6)
        (Verdict(answer='A', confidence=0.8), 0.25)
    """

    name = "cgp+second-model"

    def __init__(
        self,
        downstream: Downstream,
        second: Downstream,
        policy: Policy,
        template: PromptTemplate,
        sampling: Sampling,
        alternatives: int = ALTERNATIVES,
        left_s: LeftS = without_end,
    ) -> None:
        super().__init__(downstream, policy, template, sampling, alternatives, left_s)
        self._second = Logprob(second, template, sampling, alternatives)

    async def _looks(
        self, question: str, options: Mapping[str, str], image_url: str | None, answer: Answer
    ) -> Sequence[SecondLook]:
        if not isinstance(answer.verdict, Verdict):
            return ()
        ask = partial(self._opinion, question, options, image_url, answer.verdict.answer)
        return [SecondLook("cgp+logprob", ask)]

    async def _opinion(
        self, question: str, options: Mapping[str, str], image_url: str | None, letter: str
    ) -> tuple[dict[str, float], Cost]:
        second = await self._second.answer(question, options, image_url)
        found = option_probabilities(second.signals)
        if not found:
            if second.verdict == Invalid("no_logprobs"):
                raise TransportError("downstream", _NO_LOGPROBS)
            return {SIGNAL: 1 / len(options)}, second.cost
        return {SIGNAL: found[letter]}, second.cost
