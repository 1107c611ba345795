"""State of a gateway, for the audit log: its settings at the start; keys and the registry as they change.

Commands and people change registry and keys beside the gateway. It looks at both, and writes down what it finds, so
that a change is in the log whoever made it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from services.common.auth.errors import KeysError
from services.common.auth.key_file import read_keys
from services.common.registry.activations import HISTORY
from services.common.registry.active_file import ACTIVE
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.common.settings import ServiceSettings
from services.gateway.records.audit.entry import canonical

_MOST_NAMES: Final = 200

Stamp = tuple[str, int, int, int, int]
"""A file as the file system describes it: its path, inode, size and times. The time of its last change of any kind is
among them, which nobody sets back as its writer's time can be."""


def settings_state(settings: ServiceSettings) -> dict[str, Any]:
    """Describe settings that differ from the defaults; of secrets and addresses only that they were set.

    Args:
        settings: Those of the service.

    Returns:
        JSON values.
    """
    found: dict[str, Any] = {}
    plain = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value == field.get_default(call_default_factory=True, validated_data={}):
            continue
        # An address may hold a password, or the name of somebody's machine.
        hides = isinstance(value, SecretStr) or name.endswith("_url")
        found[name] = "set" if hides else sorted(plain[name]) if isinstance(value, frozenset) else plain[name]
    return found


class KeysState:
    """The keys that a file holds, without their hashes.

    The file is read again when its stamp has changed.

    Args:
        path: The file; None where there are no keys.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: tuple[Stamp, Mapping[str, Any]] | None = None

    def __call__(self) -> Mapping[str, Any] | None:
        """Describe them; None while the file cannot be read."""
        if self._path is None:
            return {"keys": None}
        try:
            # Before it is read: a change meanwhile is then seen at the next look.
            stamp = _stamp_of(self._path)
            if self._known is None or self._known[0] != stamp:
                self._known = stamp, self._read(self._path)
        except (OSError, KeysError):
            return None
        return self._known[1]

    def _read(self, path: Path) -> Mapping[str, Any]:
        keys = read_keys(path).keys
        told = [each.model_dump(mode="json", exclude={"hash"}) for each in sorted(keys, key=lambda key: key.id)]
        for each in told:
            each["scopes"] = sorted(each["scopes"])
            each["services"] = None if each["services"] is None else sorted(each["services"])
        digest = hashlib.sha256(canonical(told).encode()).hexdigest()
        return {"keys": told[:_MOST_NAMES], "count": len(told), "digest": digest}


class RegistryState:
    """State of a registry: names of what is live, and a digest of all its artifacts.

    Nothing is read while no file's stamp has changed, and of the artifacts those alone whose has.

    Args:
        root: The registry's directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[Stamp, str] = {}
        self._known: tuple[list[Stamp], Mapping[str, Any]] | None = None

    def __call__(self) -> Mapping[str, Any] | None:
        """Describe it; None while it cannot be read."""
        try:
            artifacts = sorted(self._root.glob("*/[!.]*.json"))
            others = [self._root / ACTIVE, self._root / HISTORY, *sorted(self._root.glob("policies/*/config.json"))]
            stamps = [_stamp_of(file) for file in [*artifacts, *others] if file.exists()]
            if self._known is None or self._known[0] != stamps:
                self._known = stamps, self._read(artifacts)
        except (OSError, RegistryError):
            return None
        return self._known[1]

    def _read(self, artifacts: list[Path]) -> Mapping[str, Any]:
        registry = Registry(self._root)
        digests = self._digests_of(artifacts)
        policy, calibrators = registry.active.policy(), dict(registry.active.calibrators())
        changes = registry.activations()[-1:]
        names = sorted(digests)
        return {
            "policy": policy,
            "policies": registry.policies()[:_MOST_NAMES],
            "calibrators": dict(sorted(calibrators.items())[:_MOST_NAMES]),
            "artifacts": names[:_MOST_NAMES],
            "count": len(names),
            "digest": hashlib.sha256(canonical(digests).encode()).hexdigest(),
            "last_activation": changes[0].model_dump(mode="json") if changes else None,
        }

    def _digests_of(self, files: list[Path]) -> dict[str, str]:
        kept: dict[Stamp, str] = {}
        found: dict[str, str] = {}
        for file in files:
            stamp = _stamp_of(file)
            kept[stamp] = self._digests.get(stamp) or hashlib.sha256(file.read_bytes()).hexdigest()
            found[f"{file.parent.name}/{file.stem}"] = kept[stamp]
        self._digests = kept
        return found


def _stamp_of(file: Path) -> Stamp:
    status = file.stat()
    return str(file), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


Probe = Callable[[], Mapping[str, Any] | None]
