"""The evidence for guarantees that a gateway may use, kept in step with the registry."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import anyio.to_thread
import structlog

from prompt4trust.calibration import Pair
from prompt4trust.selection import GuardArtifact, OptionSets, RiskRule
from services.common.registry import Registry

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Guard:
    """An artefact with its thresholds and option sets, computed once."""

    artifact: GuardArtifact
    rule: RiskRule
    sets: OptionSets | None


class GuardShelf:
    """Finds the guard of a pair; looks at the registry again when its files change, never on the event loop.

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
        self._check_every_s = check_every_s
        self._delta = delta
        self._clock = clock
        self._reading = anyio.Lock()
        self._checked_at: float | None = None
        self._stamp: object = None
        self._guards: list[Guard] = []

    @property
    def names(self) -> list[str]:
        """Names of the guards, as they were last read."""
        return [guard.artifact.name for guard in self._guards]

    async def find(self, pair: Pair) -> Guard | None:
        """Find the guard that was made for exactly this pair: the newest, if there are several."""
        await self.refresh()
        found = [guard for guard in self._guards if guard.artifact.applies_to(pair)]
        return max(found, key=lambda guard: (guard.artifact.created, guard.artifact.name), default=None)

    async def refresh(self) -> None:
        """Read the registry if it is time and its files have changed."""
        async with self._reading:
            now = self._clock()
            if self._checked_at is not None and now - self._checked_at < self._check_every_s:
                return
            try:
                await anyio.to_thread.run_sync(self._read)
            except OSError as error:
                # A volume that is away for a moment does not unlearn what was read from it.
                _log.error("the registry cannot be read", reason=str(error))
            self._checked_at = now

    def _read(self) -> None:
        # The stamp is taken first: a file that changes while it is read is read again next time.
        stamp = self._registry.guards_stamp()
        if stamp == self._stamp:
            return
        self._guards = [
            Guard(artifact, artifact.risk_rule(self._delta), artifact.option_sets())
            for artifact in self._registry.guards()
        ]
        self._stamp = stamp
        _log.info("guards read", names=self.names)
