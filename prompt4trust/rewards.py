"""Rewards: the number that reinforcement learning maximises, from a verdict and the truth.

A reward is for a model's reply. A request that never reached a model has no verdict and gets no reward: the caller
leaves that sample out. All are strictly proper: the expected reward is greatest where the confidence is the chance of
being right. A weighted sum of them is so too, since each of its parts is greatest there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from prompt4trust.verdict import Invalid, Verdict

Reward = Callable[[Verdict | Invalid, str], float]
"""A reward by verdict and the right option's letter."""
RewardSpec = str | Mapping[str, float]
"""A reward as configurations write it: a name of `REWARDS`, or weights by name for a sum."""

SMALLEST_PROBABILITY = 1e-10
"""Smaller probabilities are raised to this before their logarithm is taken."""
INVALID_LOG_SCORE = math.log(1e-12)
"""Log score of a reply without a verdict: worse than any reply with one."""
INVALID_BRIER = -1.0
"""Every bounded reward of a reply without a verdict: that of a wrong answer stated as certain."""
LARGEST_WEIGHT = 1000.0
"""Of a part of a weighted sum."""


def log_score(verdict: Verdict | Invalid, truth: str) -> float:
    """Clinically aligned logarithmic score, the paper's reward.

    The extra -1 makes a wrong answer worse than a right one of the same claim where that is above .27 = 1 / (1 + e);
    being constant in the confidence, it leaves the score strictly proper: the expected reward is greatest where the
    confidence is the chance of being right.

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


def squared_error(verdict: Verdict | Invalid, truth: str) -> float:
    """Squared error of the confidence, negative: the Brier score alone.

    It asks for calibration and for nothing else: a wrong answer stated with confidence 0 is worth as much as a right
    one stated with 1. Weigh it together with a reward that asks for right answers.

    Args:
        verdict: The verdict on the model's reply.
        truth: The right option's letter, in either case.

    Returns:
        -(p - 1)^2 for a right answer, -p^2 for a wrong one, -1 for an invalid reply. In [-1, 0].

    Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950).

    Example:
        >>> from prompt4trust.verdict import Verdict
        >>> squared_error(Verdict("B", 0.5), "B"), squared_error(Verdict("A", 1.0), "B")
        (-0.25, -1.0)
    """
    if isinstance(verdict, Invalid):
        return INVALID_BRIER
    return -((verdict.confidence - float(_is_right(verdict, truth))) ** 2)


def spherical(verdict: Verdict | Invalid, truth: str) -> float:
    """Spherical score: the chance given to what came, over the length of both chances as a vector.

    The -1 of a wrong answer makes it worse than a right one of the same claim, unless that is 0, and leaves the score
    strictly proper.

    Args:
        verdict: The verdict on the model's reply.
        truth: The right option's letter, in either case.

    Returns:
        p / sqrt(p^2 + (1 - p)^2) for a right answer, (1 - p) / sqrt(p^2 + (1 - p)^2) - 1 for a wrong one, -1 for an
        invalid reply. In [-1, 1].

    Source: Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102 (2007), 4.2.

    Example:
        >>> from prompt4trust.verdict import Verdict
        >>> [round(spherical(Verdict("B", stated), "B"), 3) for stated in (1.0, 0.5, 0.0)]
        [1.0, 0.707, 0.0]
        >>> [round(spherical(Verdict("A", stated), "B"), 3) for stated in (1.0, 0.5, 0.0)]
        [-1.0, -0.293, 0.0]
    """
    if isinstance(verdict, Invalid):
        return INVALID_BRIER
    p = verdict.confidence
    length = math.hypot(p, 1 - p)
    return p / length if _is_right(verdict, truth) else (1 - p) / length - 1


def tail_weighted(verdict: Verdict | Invalid, truth: str) -> float:
    """Correctness less a proper loss that weighs confident errors: one stated at .9 costs 10 times one at .5.

    A proper loss is an average, over all thresholds c at which one might act on the answer, of what acting wrongly
    costs; the Brier score weighs every threshold alike, this one by c^2. Below .3 it hardly tells confidences apart:
    there the Brier part of a sum does.

    Args:
        verdict: The verdict on the model's reply.
        truth: The right option's letter, in either case.

    Returns:
        1 - (1 - p)^2 (1 + 2 p + 3 p^2) / 3 for a right answer, -p^4 for a wrong one, -1 for an invalid reply. In
        [-1, 1].

    Source: Buja, Stuetzle and Shen, "Loss Functions for Binary Class Probability Estimation" (2005): the representation
        by thresholds; the weight c^2 is ours.

    Example:
        >>> from prompt4trust.verdict import Verdict
        >>> [round(tail_weighted(Verdict("A", stated), "B"), 3) for stated in (0.5, 0.9, 1.0)]
        [-0.062, -0.656, -1.0]
        >>> [round(tail_weighted(Verdict("B", stated), "B"), 3) for stated in (0.0, 0.5, 1.0)]
        [0.667, 0.771, 1.0]
    """
    if isinstance(verdict, Invalid):
        return INVALID_BRIER
    p = verdict.confidence
    return 1 - (1 - p) ** 2 * (1 + 2 * p + 3 * p**2) / 3 if _is_right(verdict, truth) else -(p**4)


REWARDS: Mapping[str, Reward] = MappingProxyType(
    {
        "log_score": log_score,
        "brier": brier,
        "rlcr": brier,
        "squared_error": squared_error,
        "spherical": spherical,
        "tail_weighted": tail_weighted,
    }
)
"""Name -> reward, as configurations name them; `rlcr` is `brier` by the name of its paper."""


@dataclass(frozen=True, slots=True)
class RewardSum:
    """A weighted sum of rewards; strictly proper, as its parts are and their weights are positive.

    Attributes:
        weights: Name of `REWARDS` -> weight.

    Example:
        >>> from prompt4trust.verdict import Verdict
        >>> total = RewardSum({"brier": 1.0, "tail_weighted": 0.5})
        >>> total(Verdict("A", 1.0), "B"), total.parts(Verdict("A", 1.0), "B")
        (-1.5, {'brier': -1.0, 'tail_weighted': -1.0})
    """

    weights: Mapping[str, float]

    def __call__(self, verdict: Verdict | Invalid, truth: str) -> float:
        """Add the weighted parts up."""
        return math.fsum(self.weights[name] * value for name, value in self.parts(verdict, truth).items())

    def parts(self, verdict: Verdict | Invalid, truth: str) -> dict[str, float]:
        """Score by each part: name -> its reward, without its weight."""
        return {name: REWARDS[name](verdict, truth) for name in self.weights}


def get_reward(spec: RewardSpec) -> Reward:
    """Look a reward up by its name, or make a weighted sum.

    Args:
        spec: One of `REWARDS`, or weights by such names.

    Raises:
        ValueError: If there is none of that name, or a weight is none.

    Example:
        >>> get_reward("brier") is brier
        True
        >>> get_reward({"brier": 1.0, "log_score": 0.1})
        RewardSum(weights={'brier': 1.0, 'log_score': 0.1})
    """
    check_reward(spec)
    return REWARDS[spec] if isinstance(spec, str) else RewardSum(dict(spec))


def check_reward(spec: RewardSpec) -> None:
    """Check that a reward can be made.

    Args:
        spec: A reward as a configuration has it.

    Raises:
        ValueError: If it cannot, in words for whoever wrote the configuration.

    Example:
        >>> check_reward({"brier": 0.0})
        Traceback (most recent call last):
        ValueError: the weight of brier must be above 0 and at most 1000, not 0.0
    """
    if not isinstance(spec, str | Mapping):
        raise ValueError("a reward is a name, or weights by name")
    names = [spec] if isinstance(spec, str) else list(spec)
    if not names:
        raise ValueError("a weighted sum of rewards needs a part")
    for name in names:
        if name not in REWARDS:
            raise ValueError(f"unknown reward {name!r}; there are {', '.join(REWARDS)}")
    if isinstance(spec, str):
        return
    for name, weight in spec.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= LARGEST_WEIGHT:
            raise ValueError(f"the weight of {name} must be above 0 and at most {LARGEST_WEIGHT:g}, not {weight!r}")
    if {"brier", "rlcr"} <= set(names):
        raise ValueError("brier and rlcr are one reward: give it one weight")


def describe_reward(spec: RewardSpec) -> str:
    """Write a reward for people.

    Example:
        >>> describe_reward("log_score"), describe_reward({"brier": 1.0, "tail_weighted": 0.5})
        ('log_score', '1 x brier + 0.5 x tail_weighted')
    """
    return spec if isinstance(spec, str) else " + ".join(f"{weight:g} x {name}" for name, weight in spec.items())


def _is_right(verdict: Verdict, truth: str) -> bool:
    return verdict.answer.upper() == truth.strip().upper()
