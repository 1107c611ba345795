"""The options `--reward` (a score's name, or names with weights) and `--curriculum` (settings by name)."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from prompt4trust.rewards import RewardSpec, check_reward
from services.trainer.grpo.config.curriculum_config import CurriculumConfig


def parse_reward(text: str) -> RewardSpec:
    """Read a reward as a terminal takes it.

    Args:
        text: A name, or names with weights.

    Returns:
        The name, or weights by name.

    Raises:
        ValueError: If it is no such thing; the message says why.

    Example:
        >>> parse_reward("log_score"), parse_reward("brier=1,tail_weighted=0.5")
        ('log_score', {'brier': 1.0, 'tail_weighted': 0.5})
    """
    if "=" not in text and "," not in text:
        check_reward(text)
        return text
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = (each.strip() for each in part.partition("="))
        try:
            value = float(weight)
        except ValueError:
            raise ValueError(f"{part.strip()!r} is no name=weight, such as brier=1") from None
        if name in weights:
            raise ValueError(f"{name} is weighed twice")
        weights[name] = value
    check_reward(weights)
    return weights


def parse_curriculum(text: str) -> dict[str, Any]:
    """Read a curriculum as a terminal takes it.

    Args:
        text: Settings, separated by commas; `steps` must be one of them.

    Returns:
        The settings by name, the unnamed ones with their defaults.

    Raises:
        ValueError: If it is no such thing; the message says why.

    Example:
        >>> parse_curriculum("first=hard,steps=100")
        {'by': 'confidence_error', 'first': 'hard', 'start_share': 0.25, 'steps': 100, 'replies': 1}
    """
    settings: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not name or not equals:
            raise ValueError(f"{part.strip()!r} is no name=value, such as steps=100")
        if name in settings:
            raise ValueError(f"{name} is set twice")
        settings[name] = _value(value)
    try:
        return CurriculumConfig.model_validate(settings).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
