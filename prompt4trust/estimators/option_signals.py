"""Probabilities of the options among an answer's signals, from which option sets are made."""

from __future__ import annotations

from collections.abc import Mapping

from prompt4trust.question_signals.words import SAYS

_PREFIX = "option:"


def option_signals(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Name probabilities by letter as signals, so that predictions files keep them.

    Args:
        probabilities: Letter -> probability, or share of the samples, in [0, 1].

    Returns:
        "option:A" -> the same, and so on.

    Example:
        >>> option_signals({"A": 0.75, "B": 0.25})
        {'option:A': 0.75, 'option:B': 0.25}
    """
    return {_PREFIX + letter: value for letter, value in probabilities.items()}


def without_options(signals: Mapping[str, float]) -> dict[str, float]:
    """Leave out what names the model's choice: the probabilities by letter, and the words of the chosen option.

    Args:
        signals: An answer's or a prediction's signals.

    Returns:
        The other signals.

    Example:
        >>> without_options({"option:A": 0.75, "option:B": 0.25, "says:3": 1.0, "agreement": 0.6})
        {'agreement': 0.6}
    """
    return {name: value for name, value in signals.items() if not name.startswith((_PREFIX, SAYS))}


def option_probabilities(signals: Mapping[str, float]) -> dict[str, float]:
    """Gather the probabilities by letter from an answer's signals.

    Args:
        signals: An answer's or a prediction's signals.

    Returns:
        Letter -> probability; empty where the estimator offers none.

    Example:
        >>> option_probabilities({"option:A": 0.75, "option:B": 0.25, "agreement": 0.6})
        {'A': 0.75, 'B': 0.25}
    """
    return {name.removeprefix(_PREFIX): value for name, value in signals.items() if name.startswith(_PREFIX)}
