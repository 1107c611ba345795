"""The reference inputs that questions are compared with, kept in step with the registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import structlog

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.selection import GuardArtifact
from prompt4trust.shift import Reference, ReferenceArtifact, signal_of
from services.common.registry.directory import Registry
from services.gateway.shelves.shelf import Shelf

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ShelvedReference:
    """An artifact with what distances are computed by, and the signal's name that distances to it have."""

    artifact: ReferenceArtifact
    reference: Reference
    signal: str

    @classmethod
    def of(cls, artifact: ReferenceArtifact) -> Self:
        """Prepare an artifact for use; takes tens of milliseconds."""
        return cls(artifact, artifact.reference(), signal_of(artifact))


@dataclass(frozen=True, slots=True)
class ShelvedReferences:
    """The references of one reading of the registry.

    Attributes:
        known: Those that can be read.
        unreadable: Names of the files that cannot: questions may be unlike all others, and nobody would know.
    """

    known: tuple[ShelvedReference, ...] = ()
    unreadable: tuple[str, ...] = ()


class ReferenceShelf:
    """Holds the references.

    Args:
        registry: Where reference inputs are published.
        check_every_s: Seconds between two looks at the files.
        limit: Atypicality from which on promises are withheld: references too small for it are warned of.
        clock: Monotonic seconds.
    """

    def __init__(
        self, registry: Registry, check_every_s: float, limit: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._limit = limit
        self._shelf = Shelf(registry.references.stamp, self._read, ShelvedReferences(), check_every_s, clock)
        self.refresh = self._shelf.refresh

    @property
    def content(self) -> tuple[ShelvedReference, ...]:
        """The references as they were last read."""
        return self._shelf.content.known

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Names of the files that could not be read then."""
        return self._shelf.content.unreadable

    @property
    def names(self) -> list[str]:
        """Names of the references."""
        return [each.artifact.name for each in self.content]

    @property
    def descriptors(self) -> list[str]:
        """Ids of the descriptors by which questions must be described to be compared with them."""
        return sorted({each.artifact.descriptor for each in self.content if not each.artifact.is_retired})

    def _read(self) -> ShelvedReferences:
        found, unreadable = self._registry.references.load_readable()
        shelved = tuple(ShelvedReference.of(each) for each in found)
        for each in shelved:
            if each.artifact.is_retired:
                _log.warning(
                    "a reference describes questions as an earlier version did, so that nothing is compared with it: "
                    "make it again",
                    name=each.artifact.name,
                    descriptor=each.artifact.descriptor,
                )
            if each.artifact.picture_preparation is None:
                _log.warning(
                    "a reference does not record the preparation of its pictures, so that nothing is compared with it: "
                    "make it again",
                    name=each.artifact.name,
                )
            if self._limit < 1 and not each.reference.reaches(self._limit):
                _log.warning(
                    "a reference has too few inputs for the limit, so that questions that it would find usual defer: "
                    "make a larger one, or lower atypicality_limit",
                    name=each.artifact.name,
                    finest=each.reference.finest,
                    limit=self._limit,
                )
        _log.info("references read", names=[each.artifact.name for each in shelved])
        return ShelvedReferences(shelved, tuple(unreadable))


def reference_of(
    made: CalibratorArtifact | GuardArtifact, references: Iterable[ShelvedReference]
) -> ShelvedReference | None:
    """Find the reference of the questions that a calibrator or guard was made from.

    Args:
        made: The calibrator or guard.
        references: Those that may be compared with.

    Returns:
        That of its very questions; where it does not say from which it was made, that of data of its name; of several
        the newest. None where there is none.
    """
    ranked = [
        ((sure, each.artifact.created, each.artifact.name), each)
        for each in references
        if (sure := each.artifact.covers(made.dataset, made.data_hash, made.questions))
    ]
    return max(ranked, key=lambda each: each[0])[1] if ranked else None
