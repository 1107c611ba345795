"""Weights of words beside those of signals: drawn towards 0 by as much as the answers show that words matter little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from prompt4trust.calibration.base import Signals
from prompt4trust.calibration.ridge import PENALTY, RidgeFit, SeenOutcomes, fit_ridge
from prompt4trust.metrics.tally import BoolArray, FloatArray
from prompt4trust.question_signals.words import ASKS, DESCRIBED, KNOWN, is_word

LEAST_WORDINGS: Final = 5
"""Wordings without which a word has no weight: it would tell of single questions."""
USUAL_WORDING: Final = 10
"""Times that one wording is asked from which on its words may have a weight all the same, as they tell of nobody."""
MOST_WORDS: Final = 128
_SPREADS: Final = tuple(float(each) for each in np.geomspace(0.05, 2.0, 8))
"""Deviations of the words' weights that are tried: 2 takes 0.5 to 0.88 with a word that is one deviation off."""
_GAIN: Final = 1.92
"""Log likelihood that weights of words must gain; without any, chance alone gains it in one draw of forty."""


@dataclass(frozen=True, slots=True)
class WordEffects:
    """Fitted weights.

    Attributes:
        signals: Of the signals, as without words where no word matters.
        words: Names of the words with a weight; none where the answers do not show that words matter.
        weights: Of these; above 0 where answers are right more often than the signals say.
        spread: Standard deviation of the prior that draws them to 0.
    """

    signals: RidgeFit
    words: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    spread: float = 0.0


def word_columns(signals: Signals, n: int) -> dict[str, FloatArray] | None:
    """Lay out the words that may have a weight.

    A word is taken that five wordings share, or one wording that is asked ten times (as in reference inputs, see
    `prompt4trust.shift`), at most `MOST_WORDS` of them: those that divide the answers best.

    Args:
        signals: Of n answers. A word that an answer does not name is one that it lacks.
        n: Their number.

    Returns:
        Name -> whether each answer has it, as 0 or 1, shape [n]; None where not every answer tells its words, or
        where not of all answers the same words were known.
    """
    described = np.asarray(signals.get(DESCRIBED, []), dtype=np.float64)
    if described.shape != (n,) or not np.all(described == 1):  # not where one is NaN, too
        return None
    if not all(np.all(np.asarray(each) == 1) for name, each in signals.items() if name.startswith(KNOWN)):
        return None  # a word that only some records could name would be told apart by when it was asked
    # In the order of their names, so that the order of the rows and of the signals does not matter.
    found = {name: np.asarray(signals[name], dtype=np.float64) for name in sorted(signals) if is_word(name)}
    having = {name: column > 0 for name, column in found.items() if column.shape == (n,)}
    asked = [column for name, column in having.items() if name.startswith(ASKS)]
    wording = (
        np.unique(np.column_stack(asked), axis=0, return_inverse=True)[1].reshape(-1) if asked else np.zeros(n, int)
    )
    kept = [(float(column.mean()), name) for name, column in having.items() if _is_usual(wording[column])]
    dividing = sorted((-share * (1 - share), name) for share, name in kept if 0 < share < 1)[:MOST_WORDS]
    return {name: having[name].astype(np.float64) for _, name in dividing}


def fit_word_effects(columns: Sequence[FloatArray], words: dict[str, FloatArray], right: BoolArray) -> WordEffects:
    """Fit weights of signals and words together.

    Args:
        columns: The signals' inputs, which may only speak for an answer; shape [n] each (see `fit_ridge`).
        words: Name -> whether each answer has it; shape [n] each. They may speak for or against.
        right: The outcomes; shape [n], both kinds among them.

    Returns:
        The weights under the spread that makes the answers likeliest (empirical Bayes by Laplace's approximation, as
        for groups: Breslow and Clayton, JASA 88, 1993); without words where none is likelier by more than chance.
    """
    base = fit_ridge(columns, SeenOutcomes.known(right))
    if not words:
        return WordEffects(base)
    joint = _Joint(columns, np.column_stack(list(words.values())), right)
    start = joint.begin(base)
    nothing = joint.evidence(start, 0.0)
    best, best_gain = None, _GAIN
    for spread in _SPREADS:
        start = joint.mode(start, spread)
        if (gain := joint.evidence(start, spread) - nothing) >= best_gain:
            best, best_gain = (spread, start), gain
    if best is None:
        return WordEffects(base)
    spread, fitted = best
    ridge, weights = joint.unscaled(fitted, spread)
    return WordEffects(ridge, tuple(words), weights, spread)


class _Joint:
    """The penalised likelihood of signals scaled to a deviation of 1 and of words scaled to the spread."""

    def __init__(self, columns: Sequence[FloatArray], words: FloatArray, right: BoolArray) -> None:
        raw = np.column_stack(columns)
        self.middle, deviation = raw.mean(axis=0), raw.std(axis=0)
        self.varies = np.ptp(raw, axis=0) > 0
        self.scale = np.where(self.varies, deviation, 1.0)
        self.inputs = np.where(self.varies, (raw - self.middle) / self.scale, 0.0)
        self.words, self.right = words, right.astype(np.float64)
        self.signals = raw.shape[1]

    def begin(self, base: RidgeFit) -> FloatArray:
        """Start from the fit without words: weights of the signals, the intercept, weights of the words."""
        weights = np.array(base.weights)
        return np.concatenate(
            [weights * self.scale, [base.intercept + weights @ self.middle], np.zeros(self.words.shape[1])]
        )

    def mode(self, start: FloatArray, spread: float) -> FloatArray:
        """Find the likeliest weights."""
        from scipy.optimize import minimize  # takes time to import, and is not needed to apply a calibrator

        table, n = self._table(spread), len(self.right)
        precision = self._precision()

        def loss(x: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            line = table @ x
            value = np.logaddexp(0, line).sum() - self.right @ line + precision @ x**2 / 2
            return float(value) / n, (table.T @ (expit(line) - self.right) + precision * x) / n

        bounds = [(0.0, None)] * self.signals + [(None, None)] * (1 + self.words.shape[1])
        options = {"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-8}
        return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x)

    def evidence(self, x: FloatArray, spread: float) -> float:
        """Approximate the log likelihood of the outcomes, all weights integrated out (Laplace)."""
        table = self._table(spread)
        line = table @ x
        chance = expit(line)
        curve = (table * (chance * (1 - chance))[:, None]).T @ table + np.diag(self._precision())
        fit = self.right @ line - np.logaddexp(0, line).sum() - self._precision() @ x**2 / 2
        return float(fit - np.linalg.slogdet(curve)[1] / 2)

    def unscaled(self, x: FloatArray, spread: float) -> tuple[RidgeFit, tuple[float, ...]]:
        """Undo the scaling of weights."""
        weights = np.where(self.varies, x[: self.signals] / self.scale, 0.0)
        intercept = float(x[self.signals] - weights @ self.middle)
        return RidgeFit(tuple(weights.tolist()), intercept), tuple((spread * x[self.signals + 1 :]).tolist())

    def _table(self, spread: float) -> FloatArray:
        return np.column_stack([self.inputs, np.ones(len(self.right)), spread * self.words])

    def _precision(self) -> FloatArray:
        return np.concatenate([np.full(self.signals, PENALTY), [0.0], np.ones(self.words.shape[1])])


def _is_usual(wording: npt.NDArray[np.intp]) -> bool:
    times = np.unique(wording, return_counts=True)[1]
    return len(times) >= LEAST_WORDINGS or bool((times >= USUAL_WORDING).any())
