"""The registry: a directory of policy versions and calibrators that people can read and services share.

Layout::

    active.json                    {"policy": "<version>", "calibrators": {"<pair>": "<name>"}}
    policies/<version>/            a model in Hugging Face layout, with prompt.json, card.md, metrics.json
    calibrators/<name>.json        CalibratorArtifact
    guards/<name>.json             GuardArtifact
    references/<name>.json         ReferenceArtifact: the inputs that calibrators and guards were made from
    activations.jsonl              who made which calibrator live, and when

Writes are atomic; nothing is ever unpickled. Of several calibrators of one pair of models, the one that active.json
names is live; where it names none that is there, the newest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog

from prompt4trust.files import copy_directory_atomically, write_atomically
from services.common.registry.activations import earlier
from services.common.registry.active_file import ActiveFile, named_calibrators
from services.common.registry.active_file import RegistryError as RegistryError

if TYPE_CHECKING:
    from prompt4trust.calibration.artifact import CalibrationKey, CalibratorArtifact
    from prompt4trust.selection.artifact import GuardArtifact
    from prompt4trust.shift.artifact import ReferenceArtifact

_Artifact = TypeVar("_Artifact")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_log = structlog.get_logger(__name__)


class UnknownCalibratorError(RegistryError):
    """There is no such calibrator."""


class NotLiveError(RegistryError):
    """A calibrator cannot be retired: it is not live, or nothing was live before it."""


class Registry(ActiveFile):
    """Policy versions and calibrators below one directory.

    Args:
        root: The directory; it is made when first written to.
    """

    def policies(self) -> list[str]:
        """List the policy versions, sorted by name."""
        found = (self.root / "policies").glob("*/config.json")
        return sorted(path.parent.name for path in found if _NAME.fullmatch(path.parent.name))

    def policy_path(self, version: str) -> Path:
        """Find a policy version's directory.

        Raises:
            RegistryError: If the name is invalid or there is no such version.
        """
        path = self.root / "policies" / _checked(version)
        if not (path / "config.json").is_file():
            raise RegistryError(f"there is no policy version {version!r}")
        return path

    def activate_policy(self, version: str) -> None:
        """Make a policy version the live one.

        Raises:
            RegistryError: If there is no such version.
        """
        self.policy_path(version)
        with self.changing_active() as active:
            active["policy"] = version

    def calibrators(self) -> list[CalibratorArtifact]:
        """Load every calibrator; one that cannot be read is logged and left out, since the others still hold."""
        # Here: it brings numerical libraries along, seconds that a service without calibrators need not spend.
        from prompt4trust.calibration.artifact import CalibratorArtifact

        return self._loaded("calibrator", CalibratorArtifact.load)

    def calibrators_stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Summarise the calibrator files cheaply (name, mtime in ns, size): it changes when any of them does."""
        return _stamp(self.root / "calibrators")

    def guards(self) -> list[GuardArtifact]:
        """Load what selection rests on; a file that cannot be read is logged and left out, as with calibrators."""
        from prompt4trust.selection.artifact import GuardArtifact

        return self._loaded("guard", GuardArtifact.load)

    def guards_stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Summarise the guards' files cheaply; see `calibrators_stamp`."""
        return _stamp(self.root / "guards")

    def publish_guard(self, artifact: GuardArtifact) -> Path:
        """Save a guard under its name, replacing one of the same name in one step.

        Returns:
            The file.

        Raises:
            RegistryError: If the name is invalid.
        """
        return self._publish("guard", artifact)

    def references(self) -> list[ReferenceArtifact]:
        """Load the reference inputs; a file that cannot be read is logged and left out, as with calibrators."""
        from prompt4trust.shift.artifact import ReferenceArtifact

        return self._loaded("reference", ReferenceArtifact.load)

    def references_stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Summarise the references' files cheaply; see `calibrators_stamp`."""
        return _stamp(self.root / "references")

    def publish_reference(self, artifact: ReferenceArtifact) -> Path:
        """Save reference inputs under their name, replacing those of the same name in one step.

        Returns:
            The file.

        Raises:
            RegistryError: If the name is invalid.
        """
        return self._publish("reference", artifact)

    def activate_calibrator(self, name: str, *, who: str = "unknown") -> str | None:
        """Make a calibrator the live one of its pair of models, estimator and template.

        Args:
            name: Its name.
            who: The person or program that does this, for the record.

        Returns:
            The one that active.json named before, or None.

        Raises:
            RegistryError: If there is no such calibrator, or it cannot be read.
        """
        pair = self._calibrator(name).key
        with self.changing_active() as active:
            named = named_calibrators(active)
            before = named.get(pair.line)
            if before != name:
                # Where none was named the newest was live: before this one came, the newest of the others.
                others = [each for each in self.calibrators() if each.name != name]
                live = live_calibrator(others, pair, named)
                self.note_activation(who, pair.line, live.name if live else None, name, "activated")
                active["calibrators"] = {**named, pair.line: name}
        return before

    def retire_calibrator(self, name: str, *, who: str) -> str:
        """Take a live calibrator back: the one that was live before it is so again.

        Args:
            name: The live one's name.
            who: The person or program that does this, for the record.

        Returns:
            The name of the one that is live now.

        Raises:
            NotLiveError: If it is not live, or nothing was live before it.
            RegistryError: If there is no such calibrator, or the earlier one is gone.
        """
        pair = self._calibrator(name).key
        with self.changing_active() as active:
            named = named_calibrators(active)
            live = live_calibrator(self.calibrators(), pair, named)
            if live is None or live.name != name:
                raise NotLiveError(f"calibrator {name!r} is not live" + (f", {live.name!r} is" if live else ""))
            back = earlier(self.activations(), pair.line, name)
            if back is None:
                raise NotLiveError(f"nothing is known to have been live before calibrator {name!r}")
            self._calibrator(back)
            self.note_activation(who, pair.line, name, back, "rolled-back")
            active["calibrators"] = {**named, pair.line: back}
        return back

    def publish_calibrator(self, artifact: CalibratorArtifact) -> Path:
        """Save a calibrator under its name, replacing one of the same name in one step.

        What is live is left as it is (see `activate_calibrator`), unless nothing was made live for its pair.

        Returns:
            The file.

        Raises:
            RegistryError: If the name is invalid.
        """
        return self._publish("calibrator", artifact)

    def publish_policy(self, version: str, source: Path) -> Path:
        """Add a policy version; it appears complete or not at all, and is not made live.

        Args:
            version: Its name, which must be new: what a version is never changes.
            source: Directory in Hugging Face layout, with prompt.json; it is copied.

        Returns:
            The version's directory.

        Raises:
            RegistryError: If the name is invalid.
            FileExistsError: If there is such a version.
            OSError: If the registry cannot be written.
        """
        target = self.root / "policies" / _checked(version)
        copy_directory_atomically(source, target)
        return target

    def seed(self, shipped: Path) -> None:
        """Copy in what the project ships and the registry lacks.

        Args:
            shipped: Directory with policy-*/ models, calibrators/*.json, guards/*.json and references/*.json.

        A version that is already there is never touched, so seeding at every start is safe, by several services at
        once too. What is live is left alone (see ensure_active).
        """
        for source in sorted(shipped.glob("policy-*")):
            target = self.root / "policies" / source.name
            if (source / "config.json").is_file() and not target.exists():
                try:
                    copy_directory_atomically(source, target)
                except OSError:
                    if not target.exists():
                        raise
                    continue  # another service seeds the same directory and was quicker
                _log.info("policy copied into the registry", version=source.name)
        self.seed_calibrators(shipped)

    def seed_calibrators(self, shipped: Path) -> None:
        """Copy in calibrators, guards and references alone, for a service that needs no policies.

        Args:
            shipped: Directory with calibrators/*.json, guards/*.json and references/*.json.
        """
        folders = ("calibrators", "guards", "references")
        for source in sorted(path for folder in folders for path in (shipped / folder).glob("*.json")):
            target = self.root / source.parent.name / source.name
            if not target.exists():
                write_atomically(target, source.read_text(encoding="utf-8"))

    def ensure_active(self, preferred: str | None = None) -> str | None:
        """Make a first policy live where none is.

        Args:
            preferred: Version to choose if the registry has it; otherwise the last by name is chosen.

        Returns:
            The live version, or None where the registry has no policy.

        Raises:
            RegistryError: If active.json is not what this class writes.
        """
        if (live := self.active_policy()) is not None:
            return live
        versions = self.policies()
        if not versions:
            return None
        first = preferred if preferred in versions else versions[-1]
        self.activate_policy(first)
        return first

    def _loaded(self, kind: str, load: Callable[[Path], _Artifact]) -> list[_Artifact]:
        found = []
        for path in sorted((self.root / f"{kind}s").glob("*.json")):
            try:
                found.append(load(path))
            except (OSError, ValueError) as error:
                _log.error(f"{kind} left out", file=path.name, reason=str(error))
        return found

    def _publish(self, kind: str, artifact: CalibratorArtifact | GuardArtifact | ReferenceArtifact) -> Path:
        path = self.root / f"{kind}s" / f"{_checked(artifact.name)}.json"
        artifact.save(path)
        return path

    def _calibrator(self, name: str) -> CalibratorArtifact:
        from prompt4trust.calibration.artifact import CalibratorArtifact

        if not _NAME.fullmatch(name):
            raise UnknownCalibratorError(f"{name!r} is not a valid name")
        try:
            return CalibratorArtifact.load(self.root / "calibrators" / f"{name}.json")
        except FileNotFoundError as error:
            raise UnknownCalibratorError(f"there is no calibrator {name!r}") from error
        except ValueError as error:
            raise RegistryError(f"calibrator {name!r} cannot be read: {error}") from error


def live_calibrator(
    calibrators: Iterable[CalibratorArtifact], pair: CalibrationKey, active: Mapping[str, str]
) -> CalibratorArtifact | None:
    """Choose the calibrator that counts for a pair.

    Args:
        calibrators: What the registry holds.
        pair: Models, estimator and template.
        active: Names by pair, as `Registry.active_calibrators` gives them.

    Returns:
        The one that was made live, if it is there and belongs to the pair; else the newest that belongs to it; else
        None.
    """
    fitting = [each for each in calibrators if each.applies_to(pair)]
    named = [each for each in fitting if each.name == active.get(pair.line)]
    return max(named or fitting, key=lambda each: (each.created, each.name), default=None)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    listed = []
    for path in sorted(folder.glob("*.json")):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # removed since it was listed
        listed.append((path.name, status.st_mtime_ns, status.st_size))
    return tuple(listed)


def _checked(name: str) -> str:
    # Names become file names: anything that could leave the directory is refused.
    if not _NAME.fullmatch(name):
        raise RegistryError(f"{name!r} is not a valid name: letters, digits, '.', '_' and '-', at most 128")
    return name
