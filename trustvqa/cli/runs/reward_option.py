"""The option `--reward`: a score's name, or names with weights."""

from __future__ import annotations

from prompt4trust.rewards import RewardSpec, check_reward


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
