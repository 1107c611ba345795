"""A vote of guided samples that ends as soon as it is decided."""

from __future__ import annotations

from statistics import fmean
from typing import Final

from prompt4trust.estimators._samples import Draws, GuidedSamplingEstimator, Samples
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Decoding, Guidance
from prompt4trust.verdict import Invalid, Verdict

DRAWS = Draws(error=0.02)
"""Up to 21 samples, as the other sampling estimators; the vote may end as another than theirs would with 2 %."""
STATED_WEIGHT: Final = 5
"""Votes that what the agreeing samples state counts as."""
_COUNTED: Final = "vote-and-stated-1"
"""Name and version of how the confidence is counted: calibrators of the bare share, as it once was, do not fit it."""


class CgpVote(GuidedSamplingEstimator):
    """One guidance prompt, then samples until the most frequent answer is all but certain to stay so.

    The answer is the most frequent one (of several, the one that came first); an invalid sample is one without a vote.
    The first ten samples are asked for at once, then five at a time. Whatever the model and the question, the answer is
    another than that of all samples with at most the probability that the draws name (`looks`).

    The confidence is the answer's share of the samples that were drawn and of five further votes, which are divided as
    the samples that give it state on average: the mean of a Beta distribution that what is stated begins and the votes
    go on. The bare share, the signal vote_share, cannot tell apart answers on which the first samples all agree, and
    that is where drawing stops. The number of samples is the signal samples_drawn. Where no sample is valid, the answer
    is not either. Open questions are answered too.

    Source: stopping on a decided vote as Adaptive-Consistency (Aggarwal et al. 2023, arXiv 2305.11860); the test, whose
    error is exact, and the confidence are our own.

    Args and errors are those of `GuidedSamplingEstimator`; the draws name the error of stopping, too.
    """

    name = "cgp+vote"
    default_draws = DRAWS

    @property
    def decoding(self) -> Decoding:
        """The decoding of the samples, and how the confidence is counted in them; see `Estimator.decoding`."""
        return super().decoding.model_copy(update={"counted": _COUNTED})

    def judge(self, samples: Samples, guidance: Guidance | None = None) -> Answer:
        """Make the answer from the samples that were drawn until the vote was decided."""
        drawn = len(samples.verdicts)
        signals = {**samples.signals(), "samples_drawn": float(drawn)}
        place, share = samples.most_frequent() or (0, 0.0)
        chosen = samples.verdicts[place]
        if isinstance(chosen, Invalid):
            return Answer(chosen, samples.texts[place], self.name, guidance, samples.cost, signals)
        groups = samples.groups()
        own = zip(samples.verdicts, groups, strict=True)
        stated = fmean(each.confidence for each, group in own if isinstance(each, Verdict) and group == groups[place])
        confidence = (share * drawn + STATED_WEIGHT * stated) / (drawn + STATED_WEIGHT)
        verdict = Verdict(chosen.answer, confidence)
        signals["vote_share"] = share
        return Answer(verdict, samples.texts[place], self.name, guidance, samples.cost, signals)
