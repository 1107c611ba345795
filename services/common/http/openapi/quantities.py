"""Numbers of replies with their ranges, which the documents show.

A service makes its replies itself: a range is told to clients here, and nothing is checked once more against it.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from pydantic.config import JsonDict

_FROM_0: Final[JsonDict] = {"minimum": 0}
_FROM_0_TO_1: Final[JsonDict] = {"minimum": 0, "maximum": 1}
_FROM_1: Final[JsonDict] = {"minimum": 1}

Share = Annotated[float, Field(json_schema_extra=_FROM_0_TO_1)]
"""A share, a rate, a probability or a confidence, in [0, 1]."""
Amount = Annotated[float, Field(json_schema_extra=_FROM_0)]
"""A quantity that is not negative, such as milliseconds."""
Count = Annotated[int, Field(json_schema_extra=_FROM_0)]
"""A whole number from 0, such as things or seconds."""
Positive = Annotated[int, Field(json_schema_extra=_FROM_1)]
"""A whole number from 1, such as pixels or a place in an order."""
