"""The part of a DICOM object that is wanted: a frame, and a window of grey."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

MAX_FRAME = 1_000_000
MAX_WINDOW_NAME = 64
MAX_WINDOW_VALUE = 1e9


@dataclass(frozen=True, slots=True)
class DicomChoice:
    """A frame and a window of a DICOM object.

    Args:
        frame: The frame, from 1; None for the middle one.
        window: Name of one of the object's own windows, or centre and width in the object's own units; None for the
            object's first.

    Raises:
        ValueError: If the frame is below 1, or the window's width is not above 0 or its numbers are not finite.

    Example:
        >>> DicomChoice(frame=3, window=(40, 400)).as_json()
        {'frame': 3, 'window': [40, 400]}
    """

    frame: int | None = None
    window: str | tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.frame is not None and not 1 <= self.frame <= MAX_FRAME:
            raise ValueError(f"frame must be between 1 and {MAX_FRAME}, not {self.frame}")
        if isinstance(self.window, tuple):
            centre, width = self.window
            if not (math.isfinite(centre) and abs(centre) <= MAX_WINDOW_VALUE and 0 < width <= MAX_WINDOW_VALUE):
                raise ValueError(f"a window's centre and width must be within {MAX_WINDOW_VALUE:g}, the width above 0")

    def as_json(self) -> dict[str, Any]:
        """Write it as what JSON holds."""
        window = list(self.window) if isinstance(self.window, tuple) else self.window
        return {"frame": self.frame, "window": window}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        window = fields["window"]
        return cls(fields["frame"], (float(window[0]), float(window[1])) if isinstance(window, list) else window)
