"""Descriptions of the registry's policy versions, without loading them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.policy.errors import UnusableVersionError
from services.policy.schemas import PolicyInfo, TemplateInfo
from services.policy.versions.loaders import read_template

_MAX_METADATA_BYTES = 256 * 1024


def describe_policies(registry: Registry, *, active: str | None, loaded: frozenset[str]) -> list[PolicyInfo]:
    """List the registry's versions.

    Args:
        registry: Where they are.
        active: The live version.
        loaded: Those in memory.

    Returns:
        One entry a version, sorted by name; a broken one is listed with what is wrong.
    """
    found = []
    for version in registry.policies():
        try:
            path = registry.policy_path(version)
        except RegistryError:
            continue  # removed since it was listed
        info = PolicyInfo(version=version, active=version == active, loaded=version in loaded, usable=True)
        try:
            template = read_template(path)
            info.template = TemplateInfo(name=template.name, version=template.version)
        except UnusableVersionError as error:
            info.usable, info.problem = False, str(error)
        config = _read_object(path / "config.json")
        info.metadata = {
            "architecture": (config.get("architectures") or [None])[0],
            "dtype": config.get("dtype") or config.get("torch_dtype"),
            "context": config.get("max_position_embeddings"),
            "metrics": _read_object(path / "metrics.json"),
        }
        found.append(info)
    return found


def _read_object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_METADATA_BYTES:
            return {}
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # optional: a version without it still writes
    return loaded if isinstance(loaded, dict) else {}
