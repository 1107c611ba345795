"""Streams of answers whose truth is known by construction: calibrated ones, and ones that go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation import read_manifest, read_predictions
from prompt4trust.evaluation.prediction_arrays import signal_columns

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
"""Draws confidences."""
Truth = Callable[[Floats, Floats], Floats]
"""From confidences and a uniform number an answer (its family) to probabilities of being right."""

FAMILY = 0.25
"""Share of the answers that one family has."""
_PROBE = 50_000
_EDGE = 1e-3


def shipped_confidences(calibrators: Path) -> dict[str, Draw]:
    """Draw as the shipped calibrators' own answers were distributed: by the bins of their reliability diagrams.

    Args:
        calibrators: Folder of calibrators.

    Returns:
        Estimator -> confidences, of the newest calibrator of each; without those whose file has no diagram.
    """
    artifacts = sorted((CalibratorArtifact.load(path) for path in calibrators.glob("*.json")), key=lambda a: a.created)
    found = {}
    for artifact in artifacts:
        bins = [(each.confidence, each.n) for each in artifact.reliability_after if each.confidence is not None]
        if bins:
            levels, counts = np.array([level for level, _ in bins]), np.array([n for _, n in bins], dtype=np.float64)
            found[artifact.key.estimator] = _levels(levels, counts / counts.sum())
    return found


def real_answers(run: Path, calibrators: Path) -> Iterator[tuple[str, Floats, npt.NDArray[np.bool_]]]:
    """Read a run's answers as the calibrators of a folder correct them.

    Args:
        run: Folder of trustvqa evaluate or calibrate, of questions that the calibrators were not fitted on.
        calibrators: Their folder.

    Yields:
        A calibrator's name, its confidences of the run's answers, and whether each is right; for every calibrator that
        belongs to the run's models, wording and one of its estimators.
    """
    manifest, predictions = read_manifest(run), read_predictions(run)
    for path in sorted(calibrators.glob("*.json")):
        artifact = CalibratorArtifact.load(path)
        key, rows = artifact.key, [each for each in predictions if each.estimator == artifact.key.estimator]
        known = [row for row in rows if row.confidence is not None and row.truth is not None]
        run_key = manifest.calibration_key(key.estimator)
        named = {"downstream", "policy", "answer_template"}
        if known and key.model_dump(include=named) == run_key.model_dump(include=named):
            stated = np.array([row.confidence for row in known], dtype=np.float64)
            signals = signal_columns(known)
            corrected = np.asarray(artifact.calibrator().apply(stated, signals), dtype=np.float64)
            yield artifact.name, corrected, np.array([row.correct for row in known], dtype=np.bool_)


def _levels(levels: Floats, shares: Floats) -> Draw:
    return lambda rng, shape: rng.choice(levels, shape, p=shares)


def beta_mixture(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Half of the answers confident (Beta(12, 2)), half of them not (Beta(4, 4))."""
    confident = rng.random(shape) < 0.5
    return np.where(confident, rng.beta(12, 2, shape), rng.beta(4, 4, shape))


def even(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Evenly from chance with four options to certainty: the hardest, since few are confident."""
    return rng.uniform(0.25, 1, shape)


def _over(p: Floats, _: Floats, s: float) -> Floats:
    return np.asarray(expit(logit(p) - s))


def _under(p: Floats, _: Floats, s: float) -> Floats:
    return np.asarray(expit(logit(p) + s))


def _steep(p: Floats, _: Floats, s: float) -> Floats:
    return np.asarray(expit(logit(p) * np.exp(-s)))


def _high(p: Floats, _: Floats, s: float) -> Floats:
    return np.where(p >= 0.8, expit(logit(p) - s), p)


def _family(p: Floats, place: Floats, s: float) -> Floats:
    return np.where(place < FAMILY, expit(logit(p) - s), p)


SHIFTS: Mapping[str, Callable[[Floats, Floats, float], Floats]] = {
    "all overconfident": _over,
    "all underconfident": _under,
    "slope too steep": _steep,
    "only the high wrong": _high,
    "one family wrong": _family,
}
"""Kind of shift -> probabilities of being right, by its strength."""


def shift_to(kind: str, draw: Draw, ece: float) -> Truth:
    """Make a kind of shift so strong that the expected calibration error (10 bins) is a given one.

    Args:
        kind: One of `SHIFTS`.
        draw: Where confidences come from.
        ece: The error, in (0, 1).

    Raises:
        ValueError: If that kind cannot be so strong.
    """
    rng = np.random.default_rng(0)
    confidence = np.clip(draw(rng, (_PROBE,)), _EDGE, 1 - _EDGE)
    family = (np.arange(_PROBE) + 0.5) / _PROBE
    place = np.minimum((confidence * 10).astype(int), 9)

    def error(strength: float) -> float:
        off = np.bincount(place, SHIFTS[kind](confidence, family, strength) - confidence, minlength=10)
        return float(np.abs(off).sum() / _PROBE)

    strongest = 12.0
    if error(strongest) < ece:
        raise ValueError(f"{kind} cannot lift the calibration error to {ece}")
    strength = float(brentq(lambda s: error(s) - ece, 0, strongest))
    return lambda p, where: SHIFTS[kind](np.clip(p, _EDGE, 1 - _EDGE), where, strength)
