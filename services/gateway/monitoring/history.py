"""The history of a stream's figures, in a bounded number of points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_MOST = 240


@dataclass(slots=True)
class History:
    """Points at every so many answers; where there are too many, every other one goes and the distance doubles.

    Attributes:
        every: Answers from one point to the next.
        points: What was noted, the oldest first.
    """

    every: int = 10
    points: list[dict[str, Any]] = field(default_factory=list)

    def is_due(self, n: int) -> bool:
        """Decide whether a point belongs after the n-th answer (from 1)."""
        return n % self.every == 0

    def add(self, point: Mapping[str, Any]) -> None:
        """Note a point that is due."""
        self.points.append(dict(point))
        if len(self.points) > _MOST:
            self.every *= 2
            self.points = [each for each in self.points if each["n"] % self.every == 0]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {"every": self.every, "points": list(self.points)}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Make one of what `as_json` returned."""
        return cls(int(state["every"]), list(state["points"]))
