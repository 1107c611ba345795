"""Where a published model came from, as its record and its card tell it, whatever kind of run made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROVENANCE = "provenance.json"


def hash_weights(directory: Path) -> str | None:
    """Hash a model's weights, or None where they are not in the directory."""
    digest = hashlib.sha256()
    files = sorted(directory.glob("*.safetensors"))
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest() if files else None


def software(*packages: str) -> dict[str, str | None]:
    """Give the versions of this program and of packages that it trained with; None for one that is not installed."""
    return {name: _version(name) for name in ("trustvqa", *packages)}


def in_figures(interval: Mapping[str, float | None]) -> str:
    """Write a metric's value with its interval, as cards have them."""
    value, low, high = interval["value"], interval["low"], interval["high"]
    if value is None or low is None or high is None:
        return "not defined"
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def was_published_by(directory: Path, run: str) -> bool:
    """Whether a model's directory says that a run published it."""
    with suppress(OSError, ValueError):
        return bool(json.loads((directory / PROVENANCE).read_text(encoding="utf-8")).get("run") == run)
    return False


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
