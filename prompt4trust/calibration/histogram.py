"""Histogram binning: in each of a few bins of equal mass, the share of right answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from prompt4trust.calibration.base import Parameters, SingleInput, Value
from prompt4trust.calibration.parameters import check_shares, lists
from prompt4trust.metrics.tally import BoolArray, FloatArray

MOST_BINS = 10
ROWS_A_BIN = 10
"""Bins are fewer where there would be fewer answers than this in one."""


@dataclass(frozen=True, slots=True)
class Histogram(SingleInput):
    """The share of right held-out answers in the bin that a confidence falls in.

    Bins hold about as many held-out answers each; equal confidences are never parted, so where many answers state one
    value there are fewer and larger bins. The shares need not rise from bin to bin.

    Attributes:
        edges: Upper ends of all bins but the last, ascending; a bin includes its upper end.
        shares: Share of right answers in each bin; one more than edges.

    Source: Zadrozny and Elkan, "Obtaining calibrated probability estimates from decision trees and naive Bayesian
    classifiers", ICML 2001, section 3.

    Example:
        >>> stated = [0.9] * 20 + [0.6] * 20
        >>> correct = [True] * 15 + [False] * 5 + [True] * 10 + [False] * 10  # right 3 times in 4, and every other time
        >>> Histogram.fit(stated, correct)
        Histogram(edges=(0.6,), shares=(0.5, 0.75))
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    family: ClassVar[str] = "histogram"

    @classmethod
    def _fit(cls, stated: FloatArray, right: BoolArray) -> Self:
        """Count; ten bins, fewer below 100 rows."""
        bins = min(MOST_BINS, len(stated) // ROWS_A_BIN)
        # Edges are confidences that were seen, so that each bin holds at least its own upper end.
        cuts = np.unique(np.quantile(stated, np.arange(1, bins) / bins, method="inverted_cdf"))
        edges = cuts[cuts < stated.max()]
        place = np.searchsorted(edges, stated)
        rows = np.bincount(place, minlength=len(edges) + 1)
        shares = np.bincount(place, weights=right, minlength=len(edges) + 1) / rows
        return cls(tuple(edges.tolist()), tuple(shares.tolist()))

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError unless edges ascend and all is in [0, 1]."""
        edges, shares = lists(cls.family, parameters, "edges", "shares")
        if len(shares) != len(edges) + 1:
            raise ValueError("histogram has one share more than edges")
        if np.any(np.diff(edges) <= 0):
            raise ValueError("histogram's edges must ascend")
        check_shares(cls.family, edges, shares)
        return cls(edges, shares)

    def parameters(self) -> dict[str, Value]:
        """Return edges and shares."""
        return {"edges": list(self.edges), "shares": list(self.shares)}

    def _apply(self, stated: FloatArray) -> FloatArray:
        place = np.searchsorted(self.edges, stated)
        return np.asarray(np.asarray(self.shares)[place], dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where there is a single bin, or a more confident bin is less often right."""
        if not self.edges:
            return ["there is a single bin: every answer gets the same confidence"]
        if np.any(np.diff(self.shares) < 0):
            return ["a bin of more stated confidence has fewer right answers than one of less: the ranking changes"]
        return []
