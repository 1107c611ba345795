"""Entropy: how far many samples concentrate on one option."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from prompt4trust.estimators._samples import Draws, Sampler, Samples
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Decoding, Downstream, Sampling
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Invalid, Verdict

DRAWS = Draws(count=40, temperature=0.1, top_p=0.95, top_k=50)
"""The authors' samples: decoded as the paper's single replies are."""
SPREAD_DRAWS = Draws(count=40)
"""Samples at the temperature of the other sampling estimators, whose first 21 they share."""


class Entropy:
    """One minus the normalised entropy of the valid answers over the options, as Prompt4Trust's authors compute it.

    The answer is the option that most samples give (of several, the one that came first). Invalid samples are left out;
    where all are invalid, so is the answer. An open question has no options to spread over: it is not asked, and its
    answer is invalid ("no_options"). Samples at a temperature of 0.1 mostly agree, and where most are invalid few
    decide; `EntropySpread` keeps that doubt.

    Source: predictive entropy, as in arXiv 2302.09664, with the samples of arXiv 2507.09279.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Gives the longest reply and the run's seed; the rest comes from draws.
        draws: Number and decoding of the samples.

    Raises:
        ValueError: If the template has another role.
    """

    name = "entropy"
    needs_policy = False
    _draws = DRAWS

    def __init__(
        self, downstream: Downstream, template: PromptTemplate, sampling: Sampling, draws: Draws | None = None
    ) -> None:
        self._sampler = Sampler(downstream, template, sampling, draws or self._draws)

    @property
    def decoding(self) -> Decoding:
        """The decoding of the samples; see `Estimator.decoding`."""
        return self._sampler.decoding

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. The text is the first sample's with the chosen option."""
        if len(options) < 2:
            return Answer(Invalid("no_options"), "", self.name)
        samples = await self._sampler.draw(question, options, image_url)
        votes = Counter(verdict.answer for verdict in samples.valid)
        if not votes:
            return Answer(
                samples.verdicts[0], samples.texts[0], self.name, cost=samples.cost, signals=samples.signals()
            )
        chosen = votes.most_common(1)[0][0]  # of equal counts the first one counted
        place = next(
            place
            for place, verdict in enumerate(samples.verdicts)
            if isinstance(verdict, Verdict) and verdict.answer == chosen
        )
        signals = {**samples.signals(), "vote_share": votes[chosen] / len(samples.verdicts)}
        verdict = Verdict(chosen, 1 - self._entropy(samples))
        return Answer(verdict, samples.texts[place], self.name, cost=samples.cost, signals=signals)

    def _entropy(self, samples: Samples) -> float:
        return samples.entropy_of_valid()


class EntropySpread(Entropy):
    """One minus the normalised entropy of all answers over the options: ours, with no sample left out.

    As `Entropy`, but sampled at a temperature of 0.5, and an invalid sample counts as an equal part of a vote for every
    option: a model that often breaks the form is not called sure for the few replies that kept it.
    """

    name = "entropy-spread"
    _draws = SPREAD_DRAWS

    def _entropy(self, samples: Samples) -> float:
        return samples.entropy()
