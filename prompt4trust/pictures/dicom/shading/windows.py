"""Windows of a DICOM object: those that it has, and the one that a request asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from prompt4trust.pictures.dicom.attributes import name_of
from prompt4trust.pictures.dicom.choice import MAX_WINDOW_VALUE
from prompt4trust.pictures.dicom.frames import DicomFrame
from prompt4trust.pictures.dicom.refusals import unknown_window

_FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class GreyWindow:
    """A window of grey.

    Attributes:
        center: Its centre, in the object's own units.
        width: Its width.
        function: LINEAR, LINEAR_EXACT or SIGMOID (PS3.3, C.11.2.1).
        name: Its name, or None.
    """

    center: float
    width: float
    function: str
    name: str | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The values that become black and white; of a sigmoid, those at which its straight line would.

        Example:
            >>> GreyWindow(50, 101, "LINEAR").ends
            (-0.5, 99.5)
        """
        if self.function == "LINEAR":
            return self.center - 0.5 - (self.width - 1) / 2, self.center - 0.5 + (self.width - 1) / 2
        return self.center - self.width / 2, self.center + self.width / 2


def windows_of(frame: DicomFrame) -> list[GreyWindow]:
    """List a frame's windows, without those that make no sense, of which there are many in practice."""
    centers, widths = _numbers(frame.get("WindowCenter")), _numbers(frame.get("WindowWidth"))
    names = _several(frame.get("WindowCenterWidthExplanation"))
    function = str(frame.get("VOILUTFunction") or "LINEAR").strip().upper()
    function = function if function in _FUNCTIONS else "LINEAR"
    found = []
    for at, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if abs(center) > MAX_WINDOW_VALUE or not 0 < width <= MAX_WINDOW_VALUE or (function == "LINEAR" and width < 1):
            continue
        found.append(GreyWindow(center, width, function, name_of(names[at]) if at < len(names) else None))
    return found


def is_named(name: str | None, asked: str) -> bool:
    """Whether a window or table has the name that is asked for, whatever its case."""
    return name is not None and name.casefold() == asked.strip().casefold()


def named(windows: Sequence[GreyWindow], name: str) -> GreyWindow:
    """Choose a window by its name, whatever its case.

    Raises:
        PictureError: Fault "unknown-window" if there is none.
    """
    for window in windows:
        if is_named(window.name, name):
            return window
    raise unknown_window(len(windows))


def _numbers(value: Any) -> list[float]:
    numbers = []
    for each in _several(value):
        try:
            number = float(each)
        except (TypeError, ValueError):
            number = math.nan
        # In its place all the same: centres, widths and names belong together by their order.
        numbers.append(number if math.isfinite(number) else 2 * MAX_WINDOW_VALUE)
    return numbers


def _several(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value)[:_MOST] if isinstance(value, Sequence) and not isinstance(value, str) else [value]
