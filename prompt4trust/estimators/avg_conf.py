"""Averaged confidence (CSA): agreement among samples, each weighed by the confidence that it states."""

from __future__ import annotations

from prompt4trust.estimators._samples import FirstSampleEstimator, Samples, alike
from prompt4trust.verdict import Invalid


class AvgConf(FirstSampleEstimator):
    """Weighed agreement as the authors of Prompt4Trust compute it, on the samples that `Consistency` takes.

    The first sample is the answer, and counts no further. The confidence is the sum of what the other samples with that
    answer state over the sum of what all the others state. An invalid sample states nothing. Samples that all state 0
    give 0. Where the first sample is invalid, so is the answer. Open questions are answered too.

    Where most samples are invalid, few decide; `AvgConfAll` keeps that doubt.

    Source: Avg-Conf of Xiong et al. 2024 (arXiv 2306.13063), as the published code of arXiv 2507.09279 has it.
    """

    name = "avg-conf"

    def confidence(self, samples: Samples) -> float:
        """Compute the agreeing others' stated confidence over that of all others."""
        first = samples.verdicts[0]
        others = [verdict for verdict in samples.verdicts[1:] if not isinstance(verdict, Invalid)]
        stated = sum(verdict.confidence for verdict in others)
        if stated == 0 or isinstance(first, Invalid):
            return 0.0
        agreed = sum(verdict.confidence for verdict in others if alike(verdict.answer, first.answer, samples.options))
        return min(agreed / stated, 1.0)


class AvgConfAll(FirstSampleEstimator):
    """Weighed agreement of all samples: ours, with the first among them and none left out.

    The first sample is the answer. The confidence is the sum of what the samples with that answer state (the first
    one included) over the sum of what all samples state. An invalid sample states nothing and agrees with nobody: it
    weighs as much as the valid ones do on average. Samples that all state 0 give 0. Where the first sample is invalid,
    so is the answer. Open questions are answered too.
    """

    name = "avg-conf-all"

    def confidence(self, samples: Samples) -> float:
        """Compute the agreeing samples' stated confidence over that of all samples."""
        stated = sum(verdict.confidence for verdict in samples.valid)
        if stated == 0:
            return 0.0
        agreed = sum(verdict.confidence for verdict in samples.agreeing())
        return min(agreed / stated * len(samples.valid) / len(samples.verdicts), 1.0)
