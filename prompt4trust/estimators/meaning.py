"""Agreement by meaning: the answer that most samples give in whatever words, for open questions above all."""

from __future__ import annotations

from prompt4trust.estimators._samples import Samples, SamplingEstimator
from prompt4trust.estimators.base import Answer
from prompt4trust.meaning import agreement_of
from prompt4trust.models import Guidance
from prompt4trust.verdict import Invalid, Verdict


class Meaning(SamplingEstimator):
    """Samples in groups that say the same (Kuhn et al. 2023, arXiv 2302.09664; Lin et al. 2024, arXiv 2305.19187).

    Two answers say the same where they are equal in one spelling (`prompt4trust.meaning.normalised`); those of a
    multiple-choice question where they are one letter. The answer is the first sample of the largest group, the
    confidence its degree, which is the group's share of all samples. Signals in [0, 1], besides those of all samples:

    - semantic_certainty: 1 - the entropy of the groups' shares / ln(samples);
    - centrality: 1 - the answer's distance from the mean of all in the space of the groups (eccentricity).

    A sample without a verdict is a group of its own. Where no sample has one, the answer is invalid.

    Args and errors are those of `SamplingEstimator`.
    """

    name = "meaning"

    def judge(self, samples: Samples, guidance: Guidance | None = None) -> Answer:
        """Make the answer from samples that were drawn with or without guidance."""
        signals = samples.signals()
        found = agreement_of(samples.groups())
        place = 0 if found is None else found.place
        chosen = samples.verdicts[place]
        if found is not None:
            signals |= {"semantic_certainty": found.certainty, "centrality": found.centrality}
        verdict = chosen if isinstance(chosen, Invalid) or found is None else Verdict(chosen.answer, found.degree)
        return Answer(verdict, samples.texts[place], self.name, guidance, samples.cost, signals)
