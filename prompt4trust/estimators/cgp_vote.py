"""A vote of guided samples that ends as soon as it is decided."""

from __future__ import annotations

from prompt4trust.estimators._samples import Draws, GuidedSamplingEstimator, Samples
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Guidance
from prompt4trust.verdict import Invalid, Verdict

DRAWS = Draws(error=0.05)
"""Up to 21 samples, as the other sampling estimators; the vote may end as another than theirs would with 5 %."""


class CgpVote(GuidedSamplingEstimator):
    """One guidance prompt, then samples until the most frequent answer is all but certain to stay so.

    The answer is the most frequent one (of several, the one that came first), the confidence its share of the samples
    that were drawn; an invalid sample is one without a vote. A fifth of the samples is asked for at a time. Whatever
    the model and the question, the answer is another than that of all samples with at most the probability that the
    draws name (`looks`); their number may be told by the signal samples_drawn. Where no sample is valid, the answer is
    not either. Open questions are answered too.

    Source: stopping on a decided vote as Adaptive-Consistency (Aggarwal et al. 2023, arXiv 2305.11860); the test, whose
    error is exact, is our own.

    Args and errors are those of `GuidedSamplingEstimator`; the draws name the error of stopping, too.
    """

    name = "cgp+vote"
    default_draws = DRAWS

    def judge(self, samples: Samples, guidance: Guidance | None = None) -> Answer:
        """Make the answer from the samples that were drawn until the vote was decided."""
        signals = {**samples.signals(), "samples_drawn": float(len(samples.verdicts))}
        place, share = samples.most_frequent() or (0, 0.0)
        chosen = samples.verdicts[place]
        verdict = chosen if isinstance(chosen, Invalid) else Verdict(chosen.answer, share)
        return Answer(verdict, samples.texts[place], self.name, guidance, samples.cost, signals)
