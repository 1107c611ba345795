"""The calibrators that a gateway may apply, kept in step with the registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from prompt4trust.calibration import CalibrationKey, Calibrator, CalibratorArtifact
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.common.registry.live_calibrator import live_calibrator
from services.gateway.shelves.shelf import Shelf

__all__ = ["CalibrationKey", "CalibratorShelf", "FittedCalibrator"]

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
        self._active: Mapping[str, str] = {}
        self._polled = Shelf(self._stamp, self._read, check_every_s, clock)

    @property
    def names(self) -> list[str]:
        """Names of the calibrators, as they were last read."""
        return [fitted.artifact.name for fitted in self._polled.items]

    @property
    def live(self) -> dict[str, str]:
        """Name the live calibrator of every pair that has one, as last read: the pair's key -> its name."""
        pairs = {each.artifact.key.line: each.artifact.key for each in self._polled.items}
        found = {key: self.known(pair) for key, pair in pairs.items()}
        return {key: each.artifact.name for key, each in found.items() if each is not None}

    async def find(self, pair: CalibrationKey) -> FittedCalibrator | None:
        """Find the live one among the calibrators that were fitted for exactly this pair."""
        await self.refresh()
        return self.known(pair)

    def known(self, pair: CalibrationKey) -> FittedCalibrator | None:
        """Find the same among those that were read last."""
        fitted = self._polled.items
        live = live_calibrator((each.artifact for each in fitted), pair, self._active)
        return next((each for each in fitted if each.artifact is live), None)

    async def refresh(self, *, at_once: bool = False) -> None:
        """Read the registry if it is time, or at once, and its files have changed."""
        await self._polled.refresh(at_once=at_once)

    def _stamp(self) -> object:
        return self._registry.calibrators.stamp(), self._registry.active.stamp()

    def _read(self) -> list[FittedCalibrator]:
        active = self._active
        try:
            active = self._registry.active.calibrators()
        except RegistryError as error:
            _log.error("what is live stays as it was", reason=str(error))
        fitted = [
            FittedCalibrator(artifact, artifact.calibrator()) for artifact in self._registry.calibrators.load_all()
        ]
        _log.info("calibrators read", names=[each.artifact.name for each in fitted])
        self._active = active  # last: answers are given beside, by what was live until both are read
        return fitted
