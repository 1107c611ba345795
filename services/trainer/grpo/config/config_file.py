"""Reading of the section `training` of a configuration file, with the values that lie over it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from services.trainer.errors import ConfigError
from services.trainer.grpo.config.training_config import TrainingConfig

SECTION = "training"


def load_training(path: Path, overrides: dict[str, Any] | None = None) -> TrainingConfig:
    """Read the section `training` of a configuration file.

    Args:
        path: A YAML file.
        overrides: Values over those of the file, nested by dotted names: {"update.max_steps": 10}.

    Returns:
        The validated configuration.

    Raises:
        ConfigError: If there is no such file or section, or a value is wrong.
    """
    try:
        return TrainingConfig.model_validate(lay_over(read_section(path), overrides or {}))
    except ValidationError as error:
        faults = "; ".join(
            ": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, "))))
            for each in error.errors()
        )
        raise ConfigError(f"{path}, section {SECTION}: {faults}") from error


def read_section(path: Path) -> dict[str, Any]:
    """Read the section `training` of a configuration file as it stands there.

    Raises:
        ConfigError: If there is no such file or section.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}") from error
    section = document.get(SECTION) if isinstance(document, dict) else None
    if not isinstance(section, dict):
        raise ConfigError(f"{path} has no section {SECTION!r}")
    return section


def lay_over(section: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Put values over those of a section, which stays as it is.

    Args:
        section: The section.
        overrides: Values by dotted names.

    Returns:
        The new section, not validated.

    Raises:
        ConfigError: If a name leads into what is no group of values.
    """
    changed = copy.deepcopy(section)
    for name, value in overrides.items():
        *parents, last = name.split(".")
        place: Any = changed
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{name}: {parent} is a single value")
        place[last] = value
    return changed
