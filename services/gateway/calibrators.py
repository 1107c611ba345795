"""The calibrators that a gateway may apply, kept in step with the registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from prompt4trust.calibration import Calibrator, CalibratorArtifact, Pair
from services.common.registry import Registry, RegistryError, live_calibrator

__all__ = ["CalibratorShelf", "FittedCalibrator", "Pair"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FittedCalibrator:
    """A calibrator with what a reply says about it."""

    artifact: CalibratorArtifact
    calibrator: Calibrator

    @property
    def ece(self) -> float | None:
        """Expected calibration error after calibration, on the data fitted on."""
        measured = self.artifact.metrics_after.get("ece", {}).get("value")
        return None if measured is None else round(measured, 4)

    def missing(self, signals: Mapping[str, float]) -> list[str]:
        """Name the signals that the calibrator needs and an answer does not carry."""
        return [name for name in self.calibrator.inputs() if name not in signals]

    def apply(self, confidence: float, signals: Mapping[str, float] | None = None) -> float:
        """Correct one stated confidence in [0, 1]; the signals are those of the answer, none missing."""
        return float(self.calibrator.apply(confidence, signals))

    def interval(self, confidence: float, signals: Mapping[str, float] | None = None) -> tuple[float, float] | None:
        """Say between which values the corrected confidence is known to lie, where the calibrator says so."""
        ends = self.calibrator.interval(confidence, signals)
        return None if ends is None else (float(ends[0]), float(ends[1]))


class CalibratorShelf:
    """Finds the calibrator of a pair; looks at the registry again when its files change.

    Args:
        registry: Where calibrators are published.
        check_every_s: Seconds between two looks at the files' names, times and sizes.
        clock: Monotonic seconds.
    """

    def __init__(self, registry: Registry, check_every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._check_every_s = check_every_s
        self._clock = clock
        self._checked_at: float | None = None
        self._stamp: object = None
        self._fitted: list[FittedCalibrator] = []
        self._active: Mapping[str, str] = {}

    def all(self) -> list[FittedCalibrator]:
        """List the calibrators, as the registry has them now."""
        now = self._clock()
        if self._checked_at is None or now - self._checked_at >= self._check_every_s:
            self._checked_at = now
            try:
                self._refresh()
            except OSError as error:
                # A volume that is away for a moment does not unlearn what was read from it.
                _log.error("the registry cannot be read", reason=str(error))
        return self._fitted

    def expire(self) -> None:
        """Look at the registry at the next occasion, however lately that was done."""
        self._checked_at = None

    def find(self, pair: Pair) -> FittedCalibrator | None:
        """Find the live one among the calibrators that were fitted for exactly this pair."""
        fitted = self.all()
        live = live_calibrator((each.artifact for each in fitted), pair, self._active)
        return next((each for each in fitted if each.artifact is live), None)

    def live(self) -> dict[str, str]:
        """Name the live calibrator of every pair that has one: the pair's key -> its name."""
        pairs = {each.artifact.pair.key: each.artifact.pair for each in self.all()}
        found = {key: self.find(pair) for key, pair in pairs.items()}
        return {key: each.artifact.name for key, each in found.items() if each is not None}

    def _refresh(self) -> None:
        # The stamp is taken first: a file that changes while it is read is read again next time.
        stamp = (self._registry.calibrators_stamp(), self._registry.active_stamp())
        if stamp == self._stamp:
            return
        try:
            self._active = self._registry.active_calibrators()
        except RegistryError as error:
            _log.error("what is live stays as it was", reason=str(error))
        self._fitted = [FittedCalibrator(artifact, artifact.calibrator()) for artifact in self._registry.calibrators()]
        self._stamp = stamp
        _log.info("calibrators read", names=[fitted.artifact.name for fitted in self._fitted])
