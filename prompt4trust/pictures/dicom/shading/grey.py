"""Grey of a DICOM object: in its own units, and as shades by the window that applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from prompt4trust.pictures.dicom.attributes import name_of
from prompt4trust.pictures.dicom.choice import DicomChoice
from prompt4trust.pictures.dicom.frames import DicomFrame
from prompt4trust.pictures.dicom.refusals import damaged, unknown_window
from prompt4trust.pictures.dicom.shading.shades import Shades, apply_shades, between, looked_up, windowed
from prompt4trust.pictures.dicom.shading.windows import GreyWindow, is_named, named, windows_of
from prompt4trust.pictures.dicom.source import WindowOrigin
from prompt4trust.pictures.windowing import grey_window

_SHALLOW: Final = 8
_MOST_LUT_BITS: Final = 16


@dataclass(frozen=True, slots=True)
class Grey:
    """A frame's grey.

    Attributes:
        values: Height × width, as stored, or as the object's Modality LUT gives it.
        slope: Units for one step of these.
        intercept: Units of zero.
        padding: Where a value stands for no grey; None where none does.
        inverted: Whether the least is white.
        bits: Bits that a value has; 0 of floats.
    """

    values: NDArray[Any]
    slope: float
    intercept: float
    padding: NDArray[np.bool_] | None
    inverted: bool
    bits: int

    def in_units(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rescale values."""
        return values * self.slope + self.intercept

    @property
    def real(self) -> NDArray[Any]:
        """Values that stand for grey, in one row."""
        return self.values.ravel() if self.padding is None else self.values[~self.padding]


@dataclass(frozen=True, slots=True)
class WindowUsed:
    """The decision on black and white.

    Attributes:
        origin: What decided.
        ends: The values that became black and white, in the object's own units; None where they were not chosen.
        window: The window, where it was one.
        name: Its name, or that of the VOI LUT; or None.
    """

    origin: WindowOrigin
    ends: tuple[float, float] | None = None
    window: GreyWindow | None = None
    name: str | None = None


def grey_of(values: NDArray[Any], frame: DicomFrame) -> Grey:
    """Describe a frame's stored values as grey.

    Raises:
        PictureError: If its rescaling makes no sense.
    """
    dataset = frame.dataset
    padding = _padding_of(values, dataset)
    inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
    bits = int(dataset.get("BitsStored") or 0) if values.dtype.kind in "iu" else 0
    if dataset.get("ModalityLUTSequence") and values.dtype.kind in "iu":
        looked = apply_modality_lut(values, dataset)
        bits = _MOST_LUT_BITS if looked.dtype.itemsize > 1 else _SHALLOW
        return Grey(looked, 1.0, 0.0, padding, inverted, bits)
    slope, intercept = _number(frame.get("RescaleSlope"), 1.0), _number(frame.get("RescaleIntercept"), 0.0)
    if not (np.isfinite([slope, intercept]).all() and slope):
        raise damaged("rescales its grey by numbers that make no sense")
    return Grey(values, slope, intercept, padding, inverted, bits)


def shaded(grey: Grey, frame: DicomFrame, choice: DicomChoice) -> tuple[NDArray[np.uint8], WindowUsed]:
    """Make shades of grey, by the window that applies.

    Args:
        grey: The grey.
        frame: Its frame.
        choice: The window that is asked for: by name, by numbers, or the object's first.

    Returns:
        Height × width from 0 to 255, and what decided on it.

    Raises:
        PictureError: Fault "unknown-window" if the object has none of that name.
    """
    shades, used = _window(grey, frame, choice)
    return apply_shades(grey.values, grey.in_units, shades, grey.padding, grey.inverted), used


def _window(grey: Grey, frame: DicomFrame, choice: DicomChoice) -> tuple[Shades, WindowUsed]:
    asked = choice.window
    if isinstance(asked, tuple):
        window = GreyWindow(*asked, "LINEAR_EXACT")
        return windowed(window), WindowUsed("request", window.ends, window)
    windows, table = windows_of(frame), _voi_lut(frame)
    if table is not None and (asked is None or is_named(table[1], asked)):
        return table[0], WindowUsed("lut", name=table[1])
    if asked is not None:
        if not windows:
            raise unknown_window(0)
        window = named(windows, asked)
        return windowed(window), WindowUsed("request", window.ends, window, window.name)
    if windows:
        return windowed(windows[0]), WindowUsed("file", windows[0].ends, windows[0], windows[0].name)
    if 0 < grey.bits <= _SHALLOW:
        return _whole_range(grey)
    ends = grey_window(grey.real)
    low, high = sorted(grey.in_units(np.array(ends)).tolist())
    return between(low, high), WindowUsed("values", (low, high))


def _whole_range(grey: Grey) -> tuple[Shades, WindowUsed]:
    steps = 1 << grey.bits
    least = -steps // 2 if grey.values.dtype.kind == "i" else 0
    low, high = sorted(grey.in_units(np.array([least, least + steps - 1], dtype=np.float64)).tolist())
    return between(low, high), WindowUsed("none")


def _voi_lut(frame: DicomFrame) -> tuple[Shades, str | None] | None:
    """Read the object's first VOI LUT; None where it has none that can be used."""
    tables = frame.dataset.get("VOILUTSequence")
    if not tables:
        return None
    table = tables[0]
    try:
        count, _, bits = (int(each) for each in table.LUTDescriptor)
        apply_voi(np.array([0]), frame.dataset)
    except Exception as error:
        # What is in a table is the file's, and pydicom raises whatever that leads to.
        raise damaged("has a VOI LUT that cannot be read") from error
    if not 1 <= bits <= _MOST_LUT_BITS or count < 0:
        raise damaged("has a VOI LUT that cannot be read")
    return looked_up(lambda grey: apply_voi(grey, frame.dataset), (1 << bits) - 1), name_of(table.get("LUTExplanation"))


def _padding_of(values: NDArray[Any], dataset: Any) -> NDArray[np.bool_] | None:
    kind = "" if values.dtype.kind in "iu" else "Float" if values.dtype.itemsize == 4 else "DoubleFloat"
    stated = dataset.get(f"{kind}PixelPaddingValue")
    if stated is None or stated == "":
        return None
    limit = dataset.get(f"{kind}PixelPaddingRangeLimit")
    try:
        ends = [_stored(each, values.dtype) for each in (stated, stated if limit in (None, "") else limit)]
    except (TypeError, ValueError, OverflowError):
        return None
    low, high = min(ends), max(ends)
    padding = (values >= low) & (values <= high)
    return padding if padding.any() else None


def _stored(value: Any, kind: np.dtype[Any]) -> float | int:
    """Read a padding value as the pixels are stored: it is written as signed or not whatever these are."""
    if kind.kind == "f":
        return float(value)
    bits = 8 * kind.itemsize
    number = int(value) & ((1 << bits) - 1)
    return number - (1 << bits) if kind.kind == "i" and number >> (bits - 1) else number


def _number(value: Any, default: float) -> float:
    if value is None or value == "":
        return default
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
