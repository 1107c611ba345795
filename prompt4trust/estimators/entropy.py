"""Entropy: how far many samples concentrate on one option."""

from __future__ import annotations

from collections.abc import Mapping

from prompt4trust.estimators._samples import Draws, Samples, SamplingEstimator
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Guidance
from prompt4trust.verdict import Invalid, Verdict

DRAWS = Draws(count=40, temperature=0.1, top_p=0.95, top_k=50)
"""The authors' samples: decoded as the paper's single replies are."""
SPREAD_DRAWS = Draws(count=40)
"""Samples at the temperature of the other sampling estimators, whose first 21 they share."""


class Entropy(SamplingEstimator):
    """One minus the normalised entropy of the valid answers over the options, as Prompt4Trust's authors compute it.

    The answer is the option that most samples give (of several, the one that came first). Invalid samples are left out;
    where all are invalid, so is the answer. An open question has no options to spread over: it is not asked, and its
    answer is invalid ("no_options"). Samples at a temperature of 0.1 mostly agree, and where most are invalid few
    decide; `EntropySpread` keeps that doubt.

    Source: predictive entropy, as in arXiv 2302.09664, with the samples of arXiv 2507.09279.

    Args and errors are those of `SamplingEstimator`.
    """

    name = "entropy"
    default_draws = DRAWS

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. The text is the first sample's with the chosen option."""
        if len(options) < 2:
            return Answer(Invalid("no_options"), "", self.name)
        return await super().answer(question, options, image_url)

    def judge(self, samples: Samples, guidance: Guidance | None = None) -> Answer:
        """Make the answer from samples that were drawn with or without guidance."""
        place, share = samples.most_frequent() or (0, 0.0)
        chosen = samples.verdicts[place]
        if isinstance(chosen, Invalid):
            return Answer(chosen, samples.texts[place], self.name, guidance, samples.cost, samples.signals())
        signals = {**samples.signals(), "vote_share": share}
        verdict = Verdict(chosen.answer, 1 - self._entropy(samples))
        return Answer(verdict, samples.texts[place], self.name, guidance, samples.cost, signals)

    def _entropy(self, samples: Samples) -> float:
        return samples.entropy_of_valid()


class EntropySpread(Entropy):
    """One minus the normalised entropy of all answers over the options: ours, with no sample left out.

    As `Entropy`, but sampled at a temperature of 0.5, and an invalid sample counts as an equal part of a vote for every
    option: a model that often breaks the form is not called sure for the few replies that kept it.
    """

    name = "entropy-spread"
    default_draws = SPREAD_DRAWS

    def _entropy(self, samples: Samples) -> float:
        return samples.entropy()
