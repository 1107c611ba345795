"""The first content of a registry: a copy of what the project ships."""

from __future__ import annotations

from pathlib import Path

import structlog

from prompt4trust.files import copy_directory_atomically, write_atomically

_ARTIFACTS = ("calibrators", "guards", "references")
_log = structlog.get_logger(__name__)


def seed_policies(root: Path, shipped: Path) -> None:
    """Copy in the policy versions that a registry lacks; one that is there is never touched.

    Args:
        root: The registry's directory.
        shipped: Directory with policy-*/ models.
    """
    for source in sorted(shipped.glob("policy-*")):
        target = root / "policies" / source.name
        if (source / "config.json").is_file() and not target.exists():
            try:
                copy_directory_atomically(source, target)
            except OSError:
                if not target.exists():
                    raise
                continue  # another service seeds the same directory and was quicker
            _log.info("policy copied into the registry", version=source.name)


def seed_artifacts(root: Path, shipped: Path) -> None:
    """Copy in the calibrators, guards and references that a registry lacks.

    Args:
        root: The registry's directory.
        shipped: Directory with calibrators/*.json, guards/*.json and references/*.json.
    """
    for source in sorted(path for folder in _ARTIFACTS for path in (shipped / folder).glob("*.json")):
        target = root / source.parent.name / source.name
        if not target.exists():
            write_atomically(target, source.read_text(encoding="utf-8"))
