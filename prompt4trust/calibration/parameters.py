"""Checks of the parameters that a calibrator's file holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prompt4trust.calibration.base import CLIP, Parameters, Value

NONE = "-"
"""Stands in a file for no names, so that an empty text is a fault."""


def numbers(family: str, parameters: Parameters, *names: str) -> list[float]:
    """Read parameters that are all finite numbers.

    Args:
        family: Its name, for messages.
        parameters: The parameters that a file holds.
        names: The parameters that there must be, and no others.

    Returns:
        Their values in the order of the names.

    Raises:
        ValueError: If they are others, or not finite numbers.
    """
    check_names(family, parameters, *names)
    values = [parameters[name] for name in names]
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
        raise ValueError(f"{family}'s {' and '.join(names)} must be finite numbers")
    return [float(value) for value in values if not isinstance(value, (str, list))]


def numbers_and_clip(family: str, parameters: Parameters, *names: str) -> list[float]:
    """Read parameters as `numbers` does, and the clip behind them.

    Args, errors: As `numbers`; a clip must lie between 0 and 0.5.

    Returns:
        The values in the order of the names, then the clip: 0.005 where the file names none, as files did not while
        that was everybody's.
    """
    values = numbers(family, {name: value for name, value in parameters.items() if name != "clip"}, *names)
    [clip] = numbers(family, {"clip": parameters.get("clip", CLIP)}, "clip")
    if not 0 < clip < 0.5:
        raise ValueError(f"{family}'s clip must lie between 0 and 0.5")
    return [*values, clip]


def lists(family: str, parameters: Parameters, *names: str) -> list[tuple[float, ...]]:
    """Read parameters that are all lists of finite numbers; as `numbers` otherwise."""
    check_names(family, parameters, *names)
    found = []
    for name in names:
        value = parameters[name]
        if not isinstance(value, list) or not all(math.isfinite(each) for each in value):
            raise ValueError(f"{family}'s {name} must be a list of finite numbers")
        found.append(tuple(float(each) for each in value))
    return found


def read_names(family: str, parameter: str, value: Value) -> list[str]:
    """Read a parameter that is a list of different names in one text, with blanks between them; `NONE` for none.

    Raises:
        ValueError: If it is not.
    """
    found = value.split() if isinstance(value, str) and value != NONE else []
    if value != NONE and (not found or len(set(found)) < len(found)):
        raise ValueError(f"{family}'s {parameter} must be different names with blanks between them")
    return found


def joined_names(names: Sequence[str]) -> str:
    """Write names as `read_names` reads them.

    Example:
        >>> joined_names(["agreement", "stated"]), joined_names([])
        ('agreement stated', '-')
    """
    return " ".join(names) or NONE


def check_shares(family: str, *found: Sequence[float]) -> None:
    """Refuse parameters that are not all in [0, 1]; raises ValueError."""
    if not all(0 <= each <= 1 for values in found for each in values):
        raise ValueError(f"{family}'s parameters must be numbers in [0, 1]")


def check_names(family: str, parameters: Parameters, *names: str) -> None:
    """Refuse parameters that are not exactly those of a family; raises ValueError."""
    if set(parameters) != set(names):
        wanted = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0] if names else "none"
        raise ValueError(f"{family} has the parameters {wanted}, not {', '.join(sorted(parameters)) or 'none'}")
