"""A reward as configurations and requests write it: a name, or weights by name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from prompt4trust.rewards import REWARDS, check_reward
from services.trainer.section import Float


def _exists(reward: Any) -> Any:
    check_reward(reward)
    return reward


_Name = Annotated[str, Field(max_length=64)]
RewardSetting = Annotated[
    _Name | Annotated[dict[_Name, Float], Field(min_length=1, max_length=len(REWARDS))], BeforeValidator(_exists)
]
"""A proper score by its name, or weights by name for a sum; checked first, so that one fault is told and not two."""
