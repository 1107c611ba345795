"""Deep grey for a viewer: the values that a window of eight bits leaves out, at the size that models see."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Resampling

from prompt4trust.pictures.decoded import DecodedPicture
from prompt4trust.pictures.decoding import FORMATS, orientation_of, upright
from prompt4trust.pictures.dicom import DicomChoice
from prompt4trust.pictures.grey_values import DEEP_MODES, deep_values, is_inverted
from prompt4trust.pictures.limits import PictureLimits

_STEPS = 65_535
_ROWS = 64
_LARGEST = 3.4e38  # of single precision
_UPRIGHT = 1
# Whatever was taken is taken again: the bounds that it was held to are not known here.
_TAKEN = PictureLimits(max_pixels=89_000_000, min_side=1, max_aspect=1e9, max_memory=1 << 40, takes_burned_in=True)


@dataclass(frozen=True, slots=True)
class DeepGrey:
    """Grey values of a picture, upright, of the size that models see.

    Attributes:
        values: Shape [height, width], from 0 for `low` to 65 535 for `high`, in equal steps.
        low: Least value of the file.
        high: Greatest value of the file.
        is_inverted: Whether large values are dark.
    """

    values: NDArray[np.uint16]
    low: float
    high: float
    is_inverted: bool


def read_deep_grey(data: bytes, seen: DecodedPicture) -> DeepGrey | None:
    """Read the grey values of a file that `decode_picture` has taken.

    Args:
        data: The file.
        seen: What `decode_picture` made of it.

    Returns:
        The values, or None where the file's grey is not deeper than eight bits.

    Example:
        >>> from prompt4trust.pictures import PictureLimits, decode_picture
        >>> file = BytesIO()
        >>> Image.fromarray(np.array([[0, 4095], [1024, 2048]], dtype=np.uint16)).resize((16, 16), 0).save(file, "PNG")
        >>> data = file.getvalue()
        >>> grey = read_deep_grey(data, decode_picture(data, PictureLimits()))
        >>> grey.low, grey.high, grey.values.shape
        (0.0, 4095.0, (16, 16))
    """
    if seen.origin.window is None:
        return None
    if seen.origin.dicom is not None:
        return _of_dicom(data, seen, seen.origin.dicom.frame)
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        image.load()
        if image.mode not in DEEP_MODES:
            return None
        inverted, orientation = is_inverted(image), orientation_of(image)
        values = deep_values(image)
    return _fitted(values, seen, orientation, inverted=inverted)


def _of_dicom(data: bytes, seen: DecodedPicture, frame: int) -> DeepGrey | None:
    from prompt4trust.pictures.dicom.reading import read_grey

    grey = read_grey(data, _TAKEN, DicomChoice(frame=frame))
    if grey is None:
        return None
    values = np.empty(grey.values.shape, dtype=np.float32)
    for top in range(0, len(values), _ROWS):
        rows = grey.values[top : top + _ROWS].astype(np.float64)
        values[top : top + _ROWS] = np.clip(grey.in_units(rows), -_LARGEST, _LARGEST)
    if grey.padding is not None:
        real = values[~grey.padding]
        dark = (real.max(initial=-_LARGEST) if grey.inverted else real.min(initial=_LARGEST)) if real.size else 0.0
        values[grey.padding] = dark
    return _fitted(values, seen, _UPRIGHT, inverted=grey.inverted)


def _fitted(values: NDArray[np.generic], seen: DecodedPicture, orientation: int, *, inverted: bool) -> DeepGrey:
    low, high = _ends(values)
    turned = upright(Image.fromarray(_reduced(values, max(1, int(1 / seen.origin.scale)), low)), orientation)
    if turned.size != seen.size:
        turned = turned.resize(seen.size, Resampling.BOX)
    span = high - low if high > low else 1.0
    steps = np.clip((np.asarray(turned, dtype=np.float64) - low) / span, 0.0, 1.0)
    return DeepGrey(np.rint(steps * _STEPS).astype(np.uint16), low, high, inverted)


def _ends(values: NDArray[np.generic]) -> tuple[float, float]:
    ends = [
        (float(found.min()), float(found.max()))
        for top in range(0, len(values), _ROWS)
        if (found := _finite(values[top : top + _ROWS])).size
    ]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 0.0)


def _finite(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.asarray(values[np.isfinite(values)])


def _reduced(values: NDArray[np.generic], factor: int, low: float) -> NDArray[np.float32]:
    """Average blocks of factor x factor values, in bands: single precision of a large picture would take gigabytes."""
    height, width = values.shape[0] // factor, values.shape[1] // factor
    reduced = np.empty((height, width), dtype=np.float32)
    for top in range(0, height, _ROWS):
        rows = min(_ROWS, height - top)
        block = values[top * factor : (top + rows) * factor, : width * factor].astype(np.float64)
        block = np.nan_to_num(block, nan=low, posinf=float(np.finfo(np.float32).max), neginf=low)
        reduced[top : top + rows] = block.reshape(rows, factor, width, factor).mean(axis=(1, 3))
    return reduced
