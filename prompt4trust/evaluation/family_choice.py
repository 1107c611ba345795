"""Choice of a calibrator family: all are fitted, and judged by a proper score on answers that they did not see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from prompt4trust.calibration import FAMILIES, Candidate, FamilyChoice, Signals, get_family, hash_rows
from prompt4trust.calibration.base import MIN_ROWS
from prompt4trust.errors import CannotChooseError
from prompt4trust.evaluation.crossfit import cross_fit
from prompt4trust.evaluation.prediction_arrays import fitting_rows, row_clusters, signal_columns
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.metrics import METRICS, summarize
from prompt4trust.metrics.calibration import SMALLEST_PROBABILITY
from prompt4trust.metrics.clusters import cluster_codes, design_effect

Score = Literal["nll", "brier"]
SCORE: Score = "nll"
"""The log loss: the score that the policy is rewarded by, and the one that lets no family claim a certainty that a
single wrong answer refutes, as curves fitted on few rows do at their ends. The Brier score stands beside it."""
TIE = 1e-4
"""Families closer than this in score, in nats, are equally good, and the simpler is taken: it corresponds to
confidences that are off by less than one point everywhere."""
MIN_JUDGED = 50
"""Answers judged on; with fewer, the noise of their outcomes chooses."""
MIN_OF_EACH = 5
"""Right answers, and wrong ones, that there must be to fit and to judge on."""

_SURE: Final = ("correctness", "boosted")
"""Families that are taken only where every other family's score is worse by more than chance. Where `correctness` is
live, the gateway records words of questions, which is not done for nothing; `boosted` bends so easily that it was ahead
by chance, and behind on new answers (docs/results-calibrators.md)."""
_LEVEL: Final = 0.05

JUDGED_BY = MappingProxyType({name: METRICS[name] for name in ("nll", "brier", "ece", "auroc")})
"""Metrics of a candidate's row in a table."""
_SAID: Mapping[Score, str] = MappingProxyType({"nll": "log loss", "brier": "Brier score"})


def choose_family(
    predictions: Sequence[Prediction],
    validation: Sequence[Prediction] | None = None,
    *,
    dataset: str,
    families: Sequence[str] = tuple(FAMILIES),
    score: Score = SCORE,
    folds: int = 5,
    resamples: int = 1000,
    seed: int = 0,
) -> FamilyChoice:
    """Fit every family that applies and take the one with the best score on other answers.

    Args:
        predictions: One estimator's, on the calibration data; those without a verdict or a known truth are left out.
        validation: The same estimator's on other data, which families are then judged on; None to judge each answer of
            the calibration data by calibrators that were fitted without its fold, which holds whole pictures.
        dataset: Name of the data judged on.
        families: Candidates; the order of `FAMILIES` counts as that of simplicity, whatever the order here.
        score: The proper score that decides.
        folds: Parts of the cross-fitting, where there is no validation data.
        resamples: Bootstrap resamples for the candidates' intervals.
        seed: Seed of the folds and of the bootstrap.

    Returns:
        The choice, with every candidate's figures.

    Raises:
        CannotChooseError: If answers are too few, or too few of them right or wrong.
        ValueError: If a family is unknown.

    Example:
        >>> rows = [
        ...     Prediction(id=str(n), estimator="cgp", truth="A", answer="BAAA"[n % 4], confidence=0.9 + n % 5 / 100)
        ...     for n in range(100)
        ... ]
        >>> choice = choose_family(rows, dataset="held-out", families=["identity", "platt"], resamples=10)
        >>> choice.chosen, choice.judged_on
        ('platt', 'folds')
    """
    fitted_on = _Rows(predictions)
    _check(fitted_on, "calibration", MIN_ROWS if validation is not None else MIN_JUDGED)
    judged_on = fitted_on if validation is None else _Rows(validation)
    if validation is not None:
        _check(judged_on, "validation", MIN_JUDGED)
    candidates, fits = [], {}
    for family in sorted(set(families), key=_rank):
        try:
            if validation is None:
                corrected = cross_fit(
                    family,
                    judged_on.confidence,
                    judged_on.correct,
                    signals=judged_on.signals,
                    clusters=judged_on.clusters,
                    folds=folds,
                    seed=seed,
                )
            else:
                fitted = get_family(family).fit(fitted_on.confidence, fitted_on.correct, fitted_on.signals)
                corrected = fitted.apply(judged_on.confidence, judged_on.signals)
        except ValueError as error:
            candidates.append(Candidate(family=family, refused=str(error)))
            continue
        figures = summarize(
            corrected,
            judged_on.correct,
            clusters=judged_on.clusters,
            metrics=JUDGED_BY,
            resamples=resamples,
            seed=seed,
        )["valid"]
        metrics = {name: figures[name].as_json() for name in JUDGED_BY}
        candidates.append(Candidate(family=family, metrics=metrics))
        fits[family] = corrected
    candidates = [_unless_chance(each, candidates, fits, judged_on, score) for each in candidates]
    return FamilyChoice(
        chosen=best(candidates, score),
        score=score,
        judged_on="folds" if validation is None else "validation",
        dataset=dataset,
        data_hash=hash_rows(judged_on.confidence, judged_on.correct, judged_on.ids),
        n=len(judged_on.ids),
        candidates=tuple(candidates),
    )


def best(candidates: Sequence[Candidate], score: Score = SCORE) -> str:
    """Name the simplest family among those with the lowest score.

    Args:
        candidates: From the simplest; those that could not be fitted are passed over.
        score: A metric that all others have; lower is better.

    Raises:
        CannotChooseError: If none could be fitted.
    """
    taken = [each for each in candidates if each.refused is None]
    scores = {each.family: value for each in taken if (value := _value(each.metrics, score)) is not None}
    if not scores:
        raise CannotChooseError("no calibrator could be fitted on these answers")
    lowest = min(scores.values())
    return next(family for family, value in scores.items() if value <= lowest + TIE)


def _unless_chance(
    candidate: Candidate,
    candidates: Sequence[Candidate],
    fits: Mapping[str, npt.NDArray[np.float64]],
    judged_on: _Rows,
    score: Score,
) -> Candidate:
    """Refuse a candidate of `_SURE` that chance may have put ahead of the best of the others; others stay.

    The one-sided 95 % interval of the mean difference counts pictures: Liang and Zeger, Biometrika 73, 1986.
    """
    from scipy.stats import t  # takes time to import, and few choices need it

    others = [each for each in candidates if each.family not in _SURE and each.refused is None]
    if candidate.family not in _SURE or candidate.refused is not None or not others:
        return candidate
    second = best(others, score)
    own, other = (_losses(fits[family], judged_on.correct, score) for family in (candidate.family, second))
    difference = own - other
    codes = cluster_codes(judged_on.clusters, len(difference))
    mean, clusters = float(difference.mean()), len(set(judged_on.clusters))
    variance = float(difference.var(ddof=1)) * design_effect(difference - mean, codes) / len(difference)
    bound = mean + float(t.ppf(1 - _LEVEL, max(1, clusters - 1))) * math.sqrt(variance)
    if bound < 0:
        return candidate
    said = f"{_SAID[score]} is {mean:+.4f} from that of {second} (95 %: at most {bound:+.4f})"
    return candidate.model_copy(update={"refused": f"not shown to be better: its {said}"})


def _losses(chances: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], score: Score) -> npt.NDArray[np.float64]:
    given = np.where(right, chances, 1 - chances)
    losses = -np.log(np.maximum(given, SMALLEST_PROBABILITY)) if score == "nll" else np.square(1 - given)
    return np.asarray(losses, dtype=np.float64)


class _Rows:
    """The predictions that count, as arrays."""

    def __init__(self, predictions: Sequence[Prediction]) -> None:
        rows = fitting_rows(predictions)
        self.ids = [row.id for row in rows]
        self.confidence: npt.NDArray[np.float64] = np.array([row.confidence for row in rows], dtype=np.float64)
        self.correct: npt.NDArray[np.bool_] = np.array([row.correct for row in rows], dtype=np.bool_)
        self.signals: Signals = signal_columns(rows)
        self.clusters = row_clusters(rows)


def _check(rows: _Rows, what: str, least: int) -> None:
    n, right = len(rows.ids), int(rows.correct.sum())
    if n < least:
        raise CannotChooseError(
            f"{n} {what} answers with a verdict and a known truth are too few to choose a calibrator by; "
            f"at least {least} are needed"
        )
    for kind, count in (("right", right), ("wrong", n - right)):
        if count < MIN_OF_EACH:
            found = f"of {n} {what} answers {count or 'none'} {'is' if count == 1 else 'are'} {kind}"
            raise CannotChooseError(
                f"{found}; a calibrator is fitted and judged on right and wrong ones, at least {MIN_OF_EACH} of each"
            )


def _rank(family: str) -> int:
    get_family(family)  # says what there is where the name is unknown
    return list(FAMILIES).index(family)


def _value(metrics: Mapping[str, Mapping[str, float | None]], name: str) -> float | None:
    return metrics.get(name, {}).get("value")
