"""The evidence for guarantees that a gateway may use, kept in step with the registry."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from prompt4trust.calibration import CalibrationKey
from prompt4trust.calibration.artifact import UNRECORDED
from prompt4trust.selection import CalibratorReference, GroupRules, GuardArtifact, OptionSets, RiskRule
from services.common.registry.directory import Registry
from services.gateway.shelves.calibrators import FittedCalibrator
from services.gateway.shelves.shelf import Shelf

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Guard:
    """An artifact with its thresholds and option sets, computed once."""

    artifact: GuardArtifact
    rule: RiskRule
    sets: OptionSets | None
    groups: GroupRules | None

    def fits(self, calibrator: FittedCalibrator | None) -> bool:
        """Whether it holds for confidences by a calibrator: not if another one had corrected those that were checked.

        Args:
            calibrator: The live calibrator; None where confidences are as stated.
        """
        wanted = self.artifact.calibrator
        return wanted is None or (calibrator is not None and CalibratorReference.of(calibrator.artifact) == wanted)


class GuardShelf:
    """Finds the guard of a key.

    Args:
        registry: Where guards are published.
        check_every_s: Seconds between two looks at the files' names, times and sizes.
        delta: Probability with which a promise may fail, in (0, 1).
        clock: Monotonic seconds.
    """

    def __init__(
        self, registry: Registry, check_every_s: float, delta: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._delta = delta
        empty: tuple[Guard, ...] = ()
        self._shelf = Shelf(registry.guards.stamp, self._read, empty, check_every_s, clock)
        self.refresh = self._shelf.refresh

    @property
    def names(self) -> list[str]:
        """Names of the guards, as they were last read."""
        return [guard.artifact.name for guard in self._shelf.content]

    @property
    def content(self) -> tuple[Guard, ...]:
        """The guards as they were last read."""
        return self._shelf.content

    def known(self, key: CalibrationKey, calibrator: FittedCalibrator | None) -> Guard | None:
        """Find the guard that was made for exactly this key, as last read.

        Args:
            key: What the answers came from.
            calibrator: The live calibrator of that key. A release brings its guard with its calibrator, and somebody
                may have made another calibrator live, and a guard for that.

        Returns:
            Of several the newest that fits the calibrator, or the newest where none does.
        """
        found = [guard for guard in self._shelf.content if guard.artifact.applies_to(key)]
        if len(found) > 1:
            found = [guard for guard in found if guard.fits(calibrator)] or found
        return max(found, key=lambda guard: (guard.artifact.created, guard.artifact.name), default=None)

    def misfit(self, key: CalibrationKey) -> str | None:
        """Explain why none fits a key that none fits; see `CalibrationKey.nearest_misfit`."""
        return key.nearest_misfit((each.artifact.name, each.artifact.key) for each in self._shelf.content)

    def _read(self) -> tuple[Guard, ...]:
        guards = tuple(
            Guard(each, each.risk_rule(self._delta), each.option_sets(), each.group_rules(self._delta))
            for each in self._registry.guards.load_all()
        )
        for guard in guards:
            if not guard.artifact.key.is_whole:
                _log.warning(f"a guard {UNRECORDED}", name=guard.artifact.name)
        _log.info("guards read", names=[guard.artifact.name for guard in guards])
        return guards
