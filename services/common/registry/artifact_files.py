"""Files of one kind of artifact: listed, loaded, published under their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import structlog

from services.common.registry.errors import RegistryError

if TYPE_CHECKING:
    from prompt4trust.calibration.artifact import CalibratorArtifact
    from prompt4trust.selection.artifact import GuardArtifact
    from prompt4trust.shift.artifact import ReferenceArtifact

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
"""Names of what a registry holds."""
_log = structlog.get_logger(__name__)

Stamp = tuple[tuple[str, int, int], ...]
"""Name, mtime in ns and size of each file of a folder: it changes when any of them does."""


AnArtifact = TypeVar("AnArtifact", bound="CalibratorArtifact | GuardArtifact | ReferenceArtifact")


class ArtifactFiles(Generic[AnArtifact]):
    """A folder of artifacts of one kind, a file each.

    Args:
        kind: What one is called.
        folder: The folder; it is made when first written to.
        load: Reads a file; raises OSError or ValueError where it cannot.
    """

    def __init__(self, kind: str, folder: Path, load: Callable[[Path], AnArtifact]) -> None:
        self._kind = kind
        self._folder = folder
        self._load = load

    def load_all(self) -> list[AnArtifact]:
        """Load every artifact; one that cannot be read is logged and left out, since the others still hold."""
        return self.load_readable()[0]

    def load_readable(self) -> tuple[list[AnArtifact], list[str]]:
        """Load every artifact that can be read, and name the files that cannot, which are logged."""
        found, unreadable = [], []
        for path in self._listed():
            try:
                found.append(self._load(path))
            except (OSError, ValueError) as error:
                _log.error(f"{self._kind} left out", file=path.name, reason=str(error))
                unreadable.append(path.name)
        return found, unreadable

    def load(self, name: str) -> AnArtifact:
        """Load one artifact.

        Raises:
            FileNotFoundError: If there is none of that name, or the name is invalid.
            RegistryError: If it cannot be read.
        """
        if not is_valid_name(name):
            raise FileNotFoundError(name)
        try:
            return self._load(self._folder / f"{name}.json")
        except ValueError as error:
            raise RegistryError(f"{self._kind} {name!r} cannot be read: {error}") from error

    def publish(self, artifact: AnArtifact) -> Path:
        """Save an artifact under its name, replacing one of the same name in one step.

        Returns:
            The file.

        Raises:
            RegistryError: If the name is invalid.
        """
        path = self._folder / f"{checked_name(artifact.name)}.json"
        artifact.save(path)
        return path

    def stamp(self) -> Stamp:
        """Summarise the files cheaply."""
        listed = []
        for path in self._listed():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # removed since it was listed
            listed.append((path.name, status.st_mtime_ns, status.st_size))
        return tuple(listed)

    def _listed(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))


def is_valid_name(name: str) -> bool:
    """Whether a name can be a file's: anything that could leave the directory cannot."""
    return re.fullmatch(NAME_PATTERN, name) is not None


def checked_name(name: str) -> str:
    """Return a name that can be a file's.

    Raises:
        RegistryError: If it cannot.
    """
    if not is_valid_name(name):
        raise RegistryError(f"{name!r} is not a valid name: letters, digits, '.', '_' and '-', at most 128")
    return name
