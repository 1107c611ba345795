"""Rewards: the number that reinforcement learning maximises, from a verdict and the truth.

A reward is for a model's reply. A request that never reached a model has no verdict and gets no reward: the caller
leaves that sample out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from prompt4trust.verdict import Invalid, Verdict

Reward = Callable[[Verdict | Invalid, str], float]
"""A reward by verdict and the right option's letter."""

SMALLEST_PROBABILITY = 1e-10
"""Smaller probabilities are raised to this before their logarithm is taken."""
INVALID_LOG_SCORE = math.log(1e-12)
"""Log score of a reply without a verdict: worse than any reply with one."""
INVALID_BRIER = -1.0
"""Brier reward of a reply without a verdict: that of a wrong answer stated as certain."""


def log_score(verdict: Verdict | Invalid, truth: str) -> float:
    """Clinically aligned logarithmic score, the paper's reward.

    The extra -1 makes every wrong answer worse than a right one of the same claim; being constant in the confidence, it
    leaves the score strictly proper: the expected reward is greatest where the confidence is the chance of being right.

    Args:
        verdict: The verdict on the model's reply.
        truth: The right option's letter, in either case.

    Returns:
        ln p for a right answer, ln(1 - p) - 1 for a wrong one, with p and 1 - p raised to 1e-10 where they are less;
        ln 1e-12 for an invalid reply. At most 0.

    Source: Kriz et al., "Prompt4Trust", ICCV 2025 workshops (arXiv 2507.09279), equation of the reward.

    Example:
        >>> from prompt4trust.verdict import Invalid, Verdict
        >>> [round(log_score(Verdict("B", stated), "B"), 3) for stated in (1.0, 0.5)]
        [0.0, -0.693]
        >>> [round(log_score(Verdict("A", stated), "B"), 3) for stated in (0.0, 0.5, 1.0)]
        [-1.0, -1.693, -24.026]
        >>> round(log_score(Invalid("no_answer"), "B"), 3)
        -27.631
    """
    if isinstance(verdict, Invalid):
        return INVALID_LOG_SCORE
    if _is_right(verdict, truth):
        return math.log(max(verdict.confidence, SMALLEST_PROBABILITY))
    return math.log(max(1 - verdict.confidence, SMALLEST_PROBABILITY)) - 1


def brier(verdict: Verdict | Invalid, truth: str) -> float:
    """Correctness less the squared error of the confidence, the reward of RLCR.

    Args:
        verdict: The verdict on the model's reply.
        truth: The right option's letter, in either case.

    Returns:
        1 - (p - 1)^2 for a right answer, -p^2 for a wrong one, -1 for an invalid reply. In [-1, 1].

    Source: Damani et al., "Beyond Binary Rewards" (RLCR), arXiv 2507.16806.

    Example:
        >>> from prompt4trust.verdict import Verdict
        >>> brier(Verdict("B", 0.5), "B"), brier(Verdict("A", 0.5), "B"), brier(Verdict("A", 1.0), "B")
        (0.75, -0.25, -1.0)
    """
    if isinstance(verdict, Invalid):
        return INVALID_BRIER
    right = float(_is_right(verdict, truth))
    return right - (verdict.confidence - right) ** 2


REWARDS: Mapping[str, Reward] = MappingProxyType({"log_score": log_score, "brier": brier})
"""Name -> reward, as configurations name them."""


def get_reward(name: str) -> Reward:
    """Look a reward up by its name.

    Args:
        name: One of `REWARDS`.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> get_reward("brier") is brier
        True
    """
    try:
        return REWARDS[name]
    except KeyError:
        raise ValueError(f"unknown reward {name!r}; there are {', '.join(REWARDS)}") from None


def _is_right(verdict: Verdict, truth: str) -> bool:
    return verdict.answer.upper() == truth.strip().upper()
