"""Reliability diagrams as numbers: accuracy and mean confidence by bin of confidence."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from prompt4trust.metrics.tally import check_rows

BINS = 10
_Share = Annotated[float, Field(json_schema_extra={"minimum": 0, "maximum": 1})]


class Bin(BaseModel):
    """One bar of a reliability diagram: confidences in (low, high], the first bin closed on both sides.

    Attributes:
        low: Lower end of the bin.
        high: Upper end.
        n: Predictions in it.
        confidence: Their mean confidence; None where there are none.
        accuracy: Their share of right answers; None where there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: _Share
    high: _Share
    n: Annotated[int, Field(json_schema_extra={"minimum": 0})]
    confidence: _Share | None
    accuracy: _Share | None


def reliability(confidence: npt.ArrayLike, correct: npt.ArrayLike, bins: int = BINS) -> tuple[Bin, ...]:
    """Bin predictions for a reliability diagram (DeGroot and Fienberg 1983).

    Args:
        confidence: Confidences in [0, 1], shape [n].
        correct: Whether each is right, shape [n].
        bins: Number of bins of equal width.

    Returns:
        The bins in order; those without a prediction have no means.

    Raises:
        ValueError: If the rows are not as described.

    Example:
        >>> [bar.accuracy for bar in reliability([0.75, 0.75, 0.5, 0.5], [True, True, True, False], bins=2)]
        [0.5, 1.0]
    """
    edges = np.linspace(0, 1, bins + 1)
    stated, right = check_rows(confidence, correct) if np.size(confidence) else (np.empty(0), np.empty(0, np.bool_))
    place = np.digitize(stated, edges[1:-1], right=True)
    listed = []
    for index in range(bins):
        inside = place == index
        n = int(inside.sum())
        listed.append(
            Bin(
                low=float(edges[index]),
                high=float(edges[index + 1]),
                n=n,
                confidence=float(stated[inside].mean()) if n else None,
                accuracy=float(right[inside].mean()) if n else None,
            )
        )
    return tuple(listed)
