"""The registry: a directory of policy versions and artifacts that people can read and services share.

Layout::

    active.json                    {"policy": "<version>", "calibrators": {"<calibration key>": "<name>"}, ...}
    policies/<version>/            a model in Hugging Face layout, with prompt.json, card.md, metrics.json
    contrastive/<name>/            a contrastive model with a tuned context, to be served as it is
    calibrators/<name>.json        CalibratorArtifact
    guards/<name>.json             GuardArtifact
    references/<name>.json         ReferenceArtifact: the inputs that calibrators and guards were made from
    activations.jsonl              who made which calibrator live, and when

Writes are atomic; nothing is ever unpickled. Of several calibrators of one calibration key, the one that active.json
names is live, and none where that is not there or cannot be read; where it names none, the newest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prompt4trust.files import copy_directory_atomically
from services.common.registry.activations import HISTORY, Activation, append_activation, live_before, read_activations
from services.common.registry.active_file import ActiveFile, named_calibrators
from services.common.registry.artifact_files import ArtifactFiles, checked_name, is_valid_name
from services.common.registry.errors import NotLiveError, RegistryError, UnknownCalibratorError
from services.common.registry.live_calibrator import live_calibrator
from services.common.registry.seeding import seed_artifacts, seed_policies

if TYPE_CHECKING:
    from prompt4trust.calibration.artifact import CalibrationKey, CalibratorArtifact
    from prompt4trust.selection.artifact import GuardArtifact
    from prompt4trust.shift.artifact import ReferenceArtifact


class Registry:
    """Policy versions and artifacts below one directory.

    Args:
        root: The directory; it is made when first written to.

    Attributes:
        root: The directory.
        active: The names of what is live.
        calibrators: The calibrators' files. Publishing one leaves what is live as it is (see `activate_calibrator`),
            unless nothing was made live for its calibration key.
        guards: The guards' files.
        references: The files of reference inputs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.active = ActiveFile(root)
        self.calibrators = ArtifactFiles("calibrator", root / "calibrators", _load_calibrator)
        self.guards = ArtifactFiles("guard", root / "guards", _load_guard)
        self.references = ArtifactFiles("reference", root / "references", _load_reference)

    def policies(self) -> list[str]:
        """List the policy versions, sorted by name."""
        found = (self.root / "policies").glob("*/config.json")
        return sorted(path.parent.name for path in found if is_valid_name(path.parent.name))

    def policy_path(self, version: str) -> Path:
        """Find a policy version's directory.

        Raises:
            RegistryError: If the name is invalid or there is no such version.
        """
        path = self.root / "policies" / checked_name(version)
        if not (path / "config.json").is_file():
            raise RegistryError(f"there is no policy version {version!r}")
        return path

    def activate_policy(self, version: str) -> None:
        """Make a policy version the live one.

        Raises:
            RegistryError: If there is no such version.
        """
        self.policy_path(version)
        with self.active.changing() as active:
            active["policy"] = version

    def ensure_active(self, preferred: str | None = None) -> str | None:
        """Make a first policy live where none is.

        Args:
            preferred: Version to choose if the registry has it; otherwise the last by name is chosen.

        Returns:
            The live version, or None where the registry has no policy.

        Raises:
            RegistryError: If active.json is not what this class writes.
        """
        if (live := self.active.policy()) is not None:
            return live
        versions = self.policies()
        if not versions:
            return None
        first = preferred if preferred in versions else versions[-1]
        self.activate_policy(first)
        return first

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
        target = self.root / "policies" / checked_name(version)
        copy_directory_atomically(source, target)
        return target

    def contrastive_path(self, name: str) -> Path:
        """Name the directory of a contrastive model, whether it is there or not; raises RegistryError for no name."""
        return self.root / "contrastive" / checked_name(name)

    def publish_contrastive(self, name: str, source: Path) -> Path:
        """Add a contrastive model, as `publish_policy` adds a policy; a downstream service serves it when told to."""
        target = self.contrastive_path(name)
        copy_directory_atomically(source, target)
        return target

    def activate_calibrator(self, name: str, *, who: str = "unknown") -> str | None:
        """Make a calibrator the live one of its calibration key.

        Args:
            name: Its name.
            who: The person or program that does this, for the record.

        Returns:
            The one that active.json named before, or None.

        Raises:
            RegistryError: If there is no such calibrator, it cannot be read, or it records too little to fit an answer.
        """
        key = self._calibrator(name).key
        if not key.is_whole:
            raise RegistryError(f"calibrator {name!r} is of an older version and fits no answer: calibrate again")
        with self.active.changing() as active:
            named = named_calibrators(active)
            before = named.get(key.line)
            if before != name:
                # Where none was named the newest was live: before this one came, the newest of the others.
                others = [each for each in self.calibrators.load_all() if each.name != name]
                live = live_calibrator(others, key, named)
                self._note(who, key, live.name if live else None, name, "activated")
                active["calibrators"] = {**named, key.line: name}
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
        key = self._calibrator(name).key
        with self.active.changing() as active:
            named = named_calibrators(active)
            live = live_calibrator(self.calibrators.load_all(), key, named)
            if live is None or live.name != name:
                raise NotLiveError(f"calibrator {name!r} is not live" + (f", {live.name!r} is" if live else ""))
            back = live_before(self.activations(), key.line, name)
            if back is None:
                raise NotLiveError(f"nothing is known to have been live before calibrator {name!r}")
            self._calibrator(back)
            self._note(who, key, name, back, "rolled-back")
            active["calibrators"] = {**named, key.line: back}
        return back

    def activations(self) -> list[Activation]:
        """List who made which calibrator live, the oldest change first."""
        return read_activations(self.root / HISTORY)

    def seed(self, shipped: Path) -> None:
        """Copy in what the project ships and the registry lacks.

        A version that is already there is never touched, so seeding at every start is safe, by several services at
        once too. What is live is left alone (see `ensure_active`).

        Args:
            shipped: Directory with policy-*/ models, calibrators/*.json, guards/*.json and references/*.json.
        """
        seed_policies(self.root, shipped)
        seed_artifacts(self.root, shipped)

    def seed_artifacts(self, shipped: Path) -> None:
        """Copy in calibrators, guards and references alone, for a service that needs no policies."""
        seed_artifacts(self.root, shipped)

    def _note(
        self,
        who: str,
        key: CalibrationKey,
        previous: str | None,
        name: str,
        kind: Literal["activated", "rolled-back"],
    ) -> None:
        """Write down that another calibrator is to be live, ahead of the change."""
        activation = Activation(who=who, pair=key.line, previous=previous, name=name, kind=kind)
        append_activation(self.root / HISTORY, activation)

    def _calibrator(self, name: str) -> CalibratorArtifact:
        if not is_valid_name(name):
            raise UnknownCalibratorError(f"{name!r} is not a valid name")
        try:
            return self.calibrators.load(name)
        except FileNotFoundError as error:
            raise UnknownCalibratorError(f"there is no calibrator {name!r}") from error


# Imported when called: they bring numerical libraries along, seconds that a service without artifacts need not spend.


def _load_calibrator(path: Path) -> CalibratorArtifact:
    from prompt4trust.calibration.artifact import CalibratorArtifact

    return CalibratorArtifact.load(path)


def _load_guard(path: Path) -> GuardArtifact:
    from prompt4trust.selection.artifact import GuardArtifact

    return GuardArtifact.load(path)


def _load_reference(path: Path) -> ReferenceArtifact:
    from prompt4trust.shift.artifact import ReferenceArtifact

    return ReferenceArtifact.load(path)
