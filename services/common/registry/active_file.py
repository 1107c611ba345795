"""What is live in a registry, as its active.json names it, and the history of that."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from prompt4trust.files import write_atomically
from services.common.registry.activations import Activation, append_activation, read_activations


class RegistryError(Exception):
    """A name is invalid, or something asked for is not in the registry."""


class ActiveFile:
    """The names of what is live below a registry's directory.

    Args:
        root: The directory; it is made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def _active_file(self) -> Path:
        return self.root / "active.json"

    def active_policy(self) -> str | None:
        """Name the live policy version, or None where none was activated.

        Raises:
            RegistryError: If active.json is not what this class writes.
        """
        try:
            version = self._read_active().get("policy")
        except FileNotFoundError:
            return None
        return version if isinstance(version, str) else None

    def active_stamp(self) -> tuple[int, int, int] | None:
        """Summarise active.json cheaply (inode, mtime in ns, size): it changes with every write; None without one."""
        try:
            status = self._active_file.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def active_calibrators(self) -> Mapping[str, str]:
        """Name the calibrators that were made live: a pair's key (see `Pair.key`) -> a calibrator's name.

        Raises:
            RegistryError: If active.json is not what this class writes.
        """
        try:
            named = self._read_active().get("calibrators", {})
        except FileNotFoundError:
            return {}
        if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
            raise RegistryError("active.json's calibrators are not names by pair")
        return named

    def activations(self) -> list[Activation]:
        """List who made which calibrator live, the oldest change first."""
        return read_activations(self.root / "activations.jsonl")

    def note_activation(
        self, who: str, pair: str, previous: str | None, name: str, kind: Literal["activated", "rolled-back"]
    ) -> None:
        """Write down that another calibrator is to be live, ahead of the change."""
        activation = Activation(who=who, pair=pair, previous=previous, name=name, kind=kind)
        append_activation(self.root / "activations.jsonl", activation)

    @contextmanager
    def changing_active(self) -> Iterator[dict[str, Any]]:
        """Give active.json's content to change, and write it; other processes wait, so that no change is lost."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                active = dict(self._read_active())
            except (FileNotFoundError, RegistryError):
                active = {}  # naming what is live is also how a spoilt file is mended
            yield active
            write_atomically(self._active_file, json.dumps(active, indent=2) + "\n")
        finally:
            os.close(lock)

    def _read_active(self) -> Mapping[str, Any]:
        try:
            loaded = json.loads(self._active_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RegistryError("active.json is not valid JSON") from error
        if not isinstance(loaded, dict):
            raise RegistryError("active.json does not hold an object")
        return loaded


def named_calibrators(active: Mapping[str, Any]) -> dict[str, str]:
    """Take the calibrators' names by pair out of active.json's content; none where that is spoilt."""
    named = active.get("calibrators")
    return {key: name for key, name in named.items() if isinstance(name, str)} if isinstance(named, dict) else {}
