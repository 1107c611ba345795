"""The evidence for guarantees that a gateway may use, kept in step with the registry."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from prompt4trust.calibration import CalibrationKey
from prompt4trust.selection import GuardArtifact, OptionSets, RiskRule
from services.common.registry.directory import Registry
from services.gateway.shelves.shelf import Shelf

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Guard:
    """An artifact with its thresholds and option sets, computed once."""

    artifact: GuardArtifact
    rule: RiskRule
    sets: OptionSets | None


class GuardShelf:
    """Finds the guard of a pair.

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
        self._polled = Shelf(registry.guards.stamp, self._read, check_every_s, clock)

    @property
    def names(self) -> list[str]:
        """Names of the guards, as they were last read."""
        return [guard.artifact.name for guard in self._polled.items]

    async def find(self, pair: CalibrationKey) -> Guard | None:
        """Find the guard that was made for exactly this pair: the newest, if there are several."""
        await self.refresh()
        return self.known(pair)

    def known(self, pair: CalibrationKey) -> Guard | None:
        """Find the same among those that were read last."""
        found = [guard for guard in self._polled.items if guard.artifact.applies_to(pair)]
        return max(found, key=lambda guard: (guard.artifact.created, guard.artifact.name), default=None)

    async def refresh(self) -> None:
        """Read the registry if it is time and its files have changed."""
        await self._polled.refresh()

    def _read(self) -> list[Guard]:
        guards = [
            Guard(artifact, artifact.risk_rule(self._delta), artifact.option_sets())
            for artifact in self._registry.guards.load_all()
        ]
        _log.info("guards read", names=[guard.artifact.name for guard in guards])
        return guards
