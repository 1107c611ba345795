"""The paper's guidance and self-consistency together: samples of the guided model's reply."""

from __future__ import annotations

from prompt4trust.estimators._samples import GuidedSamplingEstimator
from prompt4trust.estimators.consistency import Consistency


class CgpConsistency(GuidedSamplingEstimator, Consistency):
    """One guidance prompt by the policy, then agreement among guided samples (as in `Consistency`) as confidence.

    The samples' mean stated confidence is among the signals: a second one beside the agreement, for a calibrator that
    takes both.

    Args and errors are those of `GuidedSamplingEstimator`.
    """

    name = "cgp+consistency"
