"""Rates of requests as people write them: "60/minute"."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import StringConstraints

_FORM: Final = r"^[1-9][0-9]{0,6}/(second|minute|hour|day)$"
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}

Rate = Annotated[str, StringConstraints(pattern=_FORM)]
"""A number of requests in a unit of time: "60/minute"."""


def read_rate(rate: str) -> tuple[int, int]:
    """Read a rate.

    Returns:
        How many requests, in how many seconds.

    Raises:
        ValueError: If it is none.

    Example:
        >>> read_rate("60/minute")
        (60, 60)
    """
    if not re.fullmatch(_FORM, rate):
        raise ValueError(f"{rate!r} is no rate: write it like 60/minute")
    count, _, unit = rate.partition("/")
    return int(count), _SECONDS[unit]
