"""The calibrators that a gateway may apply, kept in step with the registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import structlog

from prompt4trust.calibration import CalibrationKey, Calibrator, CalibratorArtifact, Correctness
from prompt4trust.calibration.artifact import UNRECORDED
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.common.registry.live_calibrator import live_calibrator
from services.gateway.shelves.shelf import Shelf

NO_GROUPS: Final[Mapping[str, str]] = MappingProxyType({})

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

    @property
    def words(self) -> tuple[str, ...]:
        """The words of question and answer that it has weights for; none but of the family `correctness`."""
        return self.calibrator.words if isinstance(self.calibrator, Correctness) else ()

    def missing(self, signals: Mapping[str, float]) -> list[str]:
        """Name the signals that the calibrator needs and an answer does not carry."""
        return [name for name in self.calibrator.inputs() if name not in signals]

    def apply(
        self, confidence: float, signals: Mapping[str, float] | None = None, groups: Mapping[str, str] = NO_GROUPS
    ) -> float:
        """Correct one stated confidence in [0, 1]; the signals are those of the answer, none missing.

        The groups are the question's: it has the correction of those that the calibrator knows, else that of all.
        """
        corrected = float(self.calibrator.apply(confidence, signals))
        by_group = self.artifact.by_group
        return corrected if by_group is None else float(by_group.apply([corrected], [groups])[0])

    def known_groups(self, groups: Mapping[str, str]) -> dict[str, str]:
        """Name the groups of a question that have a correction of their own here."""
        return {} if self.artifact.by_group is None else self.artifact.by_group.known(groups)

    def interval(
        self, confidence: float, signals: Mapping[str, float] | None = None, groups: Mapping[str, str] = NO_GROUPS
    ) -> tuple[float, float] | None:
        """Give the ends between which the corrected confidence is known to lie, or None without such.

        Behind a correction by group there are none: the family's ends say nothing of what the group's adds.
        """
        by_group = self.artifact.by_group
        if by_group is not None and by_group.offset(groups) != 0:
            return None
        ends = self.calibrator.interval(confidence, signals)
        return None if ends is None else (float(ends[0]), float(ends[1]))


@dataclass(frozen=True, slots=True)
class ShelvedCalibrators:
    """The calibrators of one reading of the registry, and which of them are named live.

    Attributes:
        fitted: The calibrators.
        active: Calibration key as text -> name of the one that was made live; None where that cannot be read: nobody
            knows then which of them a person has chosen, or has taken back.
        policy: The policy version that the registry names live; None where it names none or cannot be read.
    """

    fitted: tuple[FittedCalibrator, ...] = ()
    active: Mapping[str, str] | None = field(default_factory=dict)
    policy: str | None = None

    def live(self, key: CalibrationKey) -> FittedCalibrator | None:
        """Find the live one among the calibrators that were fitted for exactly this key."""
        if self.active is None:
            return None
        chosen = live_calibrator((each.artifact for each in self.fitted), key, self.active)
        return next((each for each in self.fitted if each.artifact is chosen), None)

    def misfit(self, key: CalibrationKey) -> str | None:
        """Explain why none is live for a key that none is live for, as the end of a sentence; None without one near."""
        if self.active is None:
            return "the registry's active.json, which says which one does, cannot be read"
        if (named := self.active.get(key.line)) is not None:
            return f"the one that was made live, {named}, is not in the registry or cannot be read"
        return key.nearest_misfit((each.artifact.name, each.artifact.key) for each in self.fitted)


class CalibratorShelf:
    """Finds the calibrator of a key; looks at the registry again when its files change.

    Args:
        registry: Where calibrators are published.
        check_every_s: Seconds between two looks at the files' names, times and sizes.
        clock: Monotonic seconds.
    """

    def __init__(self, registry: Registry, check_every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._shelf = Shelf(self._stamp, self._read, ShelvedCalibrators(active=None), check_every_s, clock)
        self.refresh = self._shelf.refresh

    @property
    def content(self) -> ShelvedCalibrators:
        """The calibrators as they were last read."""
        return self._shelf.content

    @property
    def names(self) -> list[str]:
        """Names of the calibrators."""
        return [each.artifact.name for each in self.content.fitted]

    @property
    def unrecorded(self) -> list[str]:
        """Names of those that record too little to fit any answer."""
        return [each.artifact.name for each in self.content.fitted if not each.artifact.key.is_whole]

    @property
    def live(self) -> dict[str, str]:
        """The live calibrator's name of every key that has one: the key as text -> name."""
        content = self.content
        keys = {each.artifact.key.line: each.artifact.key for each in content.fitted}
        found = {text: content.live(key) for text, key in keys.items()}
        return {text: each.artifact.name for text, each in found.items() if each is not None}

    def _stamp(self) -> object:
        return self._registry.calibrators.stamp(), self._registry.active.stamp()

    def _read(self) -> ShelvedCalibrators:
        active, policy = self.content.active, self.content.policy  # None at the start
        try:
            active, policy = self._registry.active.calibrators(), self._registry.active.policy()
        except RegistryError as error:
            _log.error("what is live stays as it was", reason=str(error))
        fitted = tuple(FittedCalibrator(each, each.calibrator()) for each in self._registry.calibrators.load_all())
        for each in fitted:
            if not each.artifact.key.is_whole:
                _log.warning(f"a calibrator {UNRECORDED}", name=each.artifact.name)
        _log.info("calibrators read", names=[each.artifact.name for each in fitted])
        return ShelvedCalibrators(fitted, active, policy)
