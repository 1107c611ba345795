"""Averaged confidence (CSA): agreement among samples, each weighed by the confidence that it states."""

from __future__ import annotations

from prompt4trust.estimators._samples import FirstSampleEstimator, Samples


class AvgConf(FirstSampleEstimator):
    """Weighed agreement (Avg-Conf of Xiong et al. 2024, arXiv 2306.13063), on the samples that `Consistency` takes.

    The first sample is the answer. The confidence is the sum of what the samples with that answer state (the first
    one included) over the sum of what all samples state. An invalid sample states nothing and agrees with nobody: it
    weighs as much as the valid ones do on average. Samples that all state 0 give 0. Where the first sample is invalid,
    so is the answer. Open questions are answered too.
    """

    name = "avg-conf"

    def confidence(self, samples: Samples) -> float:
        """Compute the agreeing samples' stated confidence over that of all samples."""
        stated = sum(verdict.confidence for verdict in samples.valid)
        if stated == 0:
            return 0.0
        agreed = sum(verdict.confidence for verdict in samples.agreeing())
        return min(agreed / stated * len(samples.valid) / len(samples.verdicts), 1.0)
