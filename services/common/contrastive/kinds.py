"""Which models are contrastive, told without loading one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

PART_TOWERS: Final = "trustvqa_part_towers"
"""The model_type of models whose towers are pretrained parts out of packages, joined by a projection."""
KINDS: Final = frozenset({"clip", "siglip", "vision-text-dual-encoder", PART_TOWERS})
"""Values of config.json's model_type that are served: CLIP's architecture, SigLIP's, any two towers joined, parts."""


def model_type(directory: Path) -> str | None:
    """Read the model_type of a directory's config.json; None where there is none to read."""
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return config.get("model_type") if isinstance(config, dict) else None


def is_contrastive(directory: Path) -> bool:
    """Whether a directory's config.json names an architecture of `KINDS`.

    Example:
        >>> is_contrastive(Path("no-such-directory"))
        False
    """
    return model_type(directory) in KINDS
