"""Self-consistency (CSC): how many further samples give the first one's answer."""

from __future__ import annotations

from prompt4trust.estimators._samples import FirstSampleEstimator, Samples


class Consistency(FirstSampleEstimator):
    """Agreement as confidence (Wang et al. 2023, arXiv 2203.11171; Xiong et al. 2024, arXiv 2306.13063).

    The first sample is the answer; the confidence is the share of the others that give the same one. An invalid sample
    agrees with nobody; where the first one is invalid, so is the answer. What the model states plays no part. Open
    questions are answered too: two answers agree if they are the same but for case and blanks.
    """

    name = "consistency"

    def confidence(self, samples: Samples) -> float:
        """Compute the share of the other samples that agree with the first."""
        return samples.agreement()
