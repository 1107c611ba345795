"""Reading of the section `training` of a configuration file, with the values that lie over it."""

from __future__ import annotations

import copy
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from services.common.startup import no_such_setting
from services.trainer.errors import ConfigError
from services.trainer.grpo.config.training_config import TrainingConfig

SECTION = "training"
_STEPS, _PHASES = "update.max_steps", ("warmup_steps", "num_decay_steps")


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
        faults = "; ".join(_told(each, overrides or {}) for each in error.errors())
        raise ConfigError(f"{path}, section {SECTION}: {faults}") from error


def _told(fault: ErrorDetails, overrides: Collection[str]) -> str:
    """Write a fault with its place."""
    place = ".".join(map(str, fault["loc"]))
    said = in_words(fault)
    if place in overrides:
        place += " (given over the file's)"
    return f"{place}: {said}" if place else said


def in_words(fault: ErrorDetails) -> str:
    """Write a fault of a training configuration, of a misspelt name with the one that may be meant.

    Args:
        fault: One of those that pydantic lists.
    """
    if fault["type"] == "extra_forbidden":
        return no_such_setting(str(fault["loc"][-1]), _names_beside(fault["loc"]))
    return fault["msg"].removeprefix("Value error, ")


def _names_beside(place: tuple[int | str, ...]) -> list[str]:
    model: object = TrainingConfig
    for part in place[:-1]:
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return []
        model = model.model_fields[str(part)].annotation
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


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
        The new section, not validated. Where it has fewer steps than the schedule's warm-up and decay take, these are
        shortened in proportion, unless they are given as well.

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
    if overrides.get(_STEPS) is not None:
        _shorten_schedule(section, changed, overrides)
    return changed


def _shorten_schedule(section: dict[str, Any], changed: dict[str, Any], overrides: dict[str, Any]) -> None:
    """Shorten warm-up and decay by as much as the run, where they are the section's own and no longer fit into it."""
    before, update = section.get("update"), changed["update"]
    whole, steps = before.get("max_steps") if isinstance(before, dict) else None, update["max_steps"]
    lengths = [update.get(name, 0) for name in _PHASES]
    if not all(isinstance(each, int) for each in (whole, steps, *lengths)):
        return  # what is wrong with it, validation says
    if 0 < steps < min(whole, sum(lengths)):
        for name in _PHASES:
            if f"update.{name}" not in overrides and name in update:
                update[name] = update[name] * steps // whole
