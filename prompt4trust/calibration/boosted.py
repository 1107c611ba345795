"""Boosted trees on all signals of an answer that may only speak for it: what a sum of signals cannot say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from prompt4trust.calibration.base import (
    CONSTANT,
    NoInterval,
    Parameters,
    Signals,
    Value,
    check_confidence,
    check_fitting_rows,
    listed,
    needed_signal,
)
from prompt4trust.calibration.parameters import check_names, joined_names, read_names
from prompt4trust.calibration.several_signal import SIGNALS, usable_signals
from prompt4trust.calibration.trees import LEAF, Trees
from prompt4trust.errors import MissingSignalError
from prompt4trust.metrics.tally import FloatArray

LEAST_ROWS: Final = 400
"""Answers from which on it is fitted: on fewer it takes more than it gives where a sum of signals would do
(docs/results-calibrators.md)."""
ROUNDS: Final = 50
"""Trees; the number is fixed, since what would end the rounds early are answers that the fit cannot spare."""
_SHRINKAGE: Final = 0.1
_LEAVES: Final = 3
"""Of a tree: two signals at most, of which one may count only where the other is high, or low."""
_LEAST_IN_LEAF: Final = 40
_PENALTY: Final = 1.0
_FARTHEST: Final = 30.0
"""No file may name a logit beyond this, where numbers begin to run out between a confidence and 1."""


@dataclass(frozen=True, slots=True)
class Boosted(NoInterval):
    """The chance of being right as expit(a sum of small trees), none of which falls with any signal.

    The signals are those of `several-signal`, with the same sign: more of one never makes an answer less believed. That
    family adds up what they say; this one may say that a signal counts only where another is high, at the price of
    steps in place of slopes and of needing more answers.

    Attributes:
        signals: Names of the further signals that a tree asks for.
        intercept: The corrected logit without the trees.
        trees: Their columns are the confidence and the signals, in this order.

    Example:
        >>> sure, agreed = np.tile([0.6, 0.9], 200), np.repeat([0.4, 0.8], 200)
        >>> right = np.arange(400) % 10 < np.where((sure > 0.7) & (agreed > 0.5), 9, 2)  # only where both are high
        >>> calibrator = Boosted.fit(sure, right, {"agreement": agreed})
        >>> calibrator.inputs()
        ('agreement',)
        >>> calibrator.apply([0.6, 0.9, 0.6, 0.9], {"agreement": [0.4, 0.4, 0.8, 0.8]}).round(1).tolist()
        [0.2, 0.2, 0.2, 0.8]
    """

    signals: tuple[str, ...]
    intercept: float
    trees: Trees
    family: ClassVar[str] = "boosted"

    @classmethod
    def fit(cls, confidence: npt.ArrayLike, correct: npt.ArrayLike, signals: Signals | None = None) -> Self:
        """Fit by gradient boosting of the log loss, on at least `LEAST_ROWS` answers. See `Calibrator.fit`.

        Source: Friedman, Annals of Statistics 29 (2001), as scikit-learn's histogram trees fit it under constraints
        of monotonicity.
        """
        stated, right = check_fitting_rows(confidence, correct)
        found = usable_signals(stated, signals or {})
        if not found:
            raise MissingSignalError(f"boosted needs one of {listed(SIGNALS)} with every answer, beside the confidence")
        if len(stated) < LEAST_ROWS:
            raise ValueError(f"boosted is fitted on at least {LEAST_ROWS} answers, not {len(stated)}")
        from sklearn.ensemble import HistGradientBoostingClassifier  # heavy, and not needed to apply a calibrator
        from threadpoolctl import threadpool_limits

        table = np.column_stack([stated, *found.values()])
        order = np.lexsort((right, *table.T))  # so that sums do not round by the order in which answers came
        model = HistGradientBoostingClassifier(
            learning_rate=_SHRINKAGE,
            max_iter=ROUNDS,
            max_leaf_nodes=_LEAVES,
            min_samples_leaf=_LEAST_IN_LEAF,
            l2_regularization=_PENALTY,
            monotonic_cst=[1] * table.shape[1],
            early_stopping=False,
            random_state=0,
        )
        with threadpool_limits(1, user_api="openmp"):  # threads would wait for each other longer than one works
            model.fit(table[order], right[order])
        return cls._of_use(list(found), float(model._baseline_prediction.item()), Trees.of_sklearn(model))

    @classmethod
    def _of_use(cls, names: list[str], intercept: float, trees: Trees) -> Self:
        """Keep the signals that a tree asks for: no answer needs the others."""
        used = [place for place in range(len(names)) if place + 1 in trees.columns]
        renamed = {LEAF: LEAF, 0: 0, **{place + 1: kept + 1 for kept, place in enumerate(used)}}
        columns = tuple(renamed[column] for column in trees.columns)
        return cls(tuple(names[place] for place in used), intercept, Trees(columns, trees.values))

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError where they are not signals and trees that never fall."""
        check_names(cls.family, parameters, "signals", "intercept", "columns", "values")
        names = read_names(cls.family, "signals", parameters["signals"])
        intercept, columns, values = (parameters[name] for name in ("intercept", "columns", "values"))
        if not isinstance(intercept, (int, float)) or not isinstance(columns, list) or not isinstance(values, list):
            raise ValueError("boosted's intercept must be a number, its columns and values lists of numbers")
        if not all(each in range(LEAF, len(names) + 1) for each in columns):
            raise ValueError(f"boosted's columns must be whole numbers from {LEAF} to {len(names)}")
        if not set(range(1, len(names) + 1)) <= set(columns):
            raise ValueError("boosted's trees must ask for each of its signals")
        try:
            trees = Trees(tuple(int(each) for each in columns), tuple(float(each) for each in values))
        except ValueError as error:
            raise ValueError(f"in boosted: {error}") from None
        if not all(
            column == LEAF or 0 <= value <= 1 for column, value in zip(trees.columns, trees.values, strict=True)
        ):
            raise ValueError("boosted's thresholds must be numbers in [0, 1]")
        lowest, highest = trees.range
        if not -_FARTHEST <= intercept + lowest <= intercept + highest <= _FARTHEST:  # not where it is NaN, too
            raise ValueError(f"boosted's logits must lie within {-_FARTHEST:g} and {_FARTHEST:g}")
        return cls(tuple(names), float(intercept), trees)

    def parameters(self) -> dict[str, Value]:
        """Return the signals' names in one text, the intercept, and the trees' columns and values."""
        return {
            "signals": joined_names(self.signals),
            "intercept": self.intercept,
            "columns": [float(column) for column in self.trees.columns],
            "values": list(self.trees.values),
        }

    def inputs(self) -> tuple[str, ...]:
        """Name the further signals."""
        return self.signals

    def apply(self, confidence: npt.ArrayLike, signals: Signals | None = None) -> FloatArray:
        """Correct confidences; see `Calibrator.apply`. They lie above 0 and below 1."""
        stated = check_confidence(confidence)
        values = [stated, *(needed_signal(signals or {}, name, stated.shape) for name in self.signals)]
        line = self.trees.sum([each.reshape(-1) for each in values], self.intercept)
        return np.asarray(expit(line).reshape(stated.shape), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where no tree divides the answers."""
        return [CONSTANT] if math.isclose(*self.trees.range) else []
