"""A picture as a hundred and fifty numbers that need no model: tone, layout, texture and edges.

The numbers do not capture a picture's meaning. They separate one way of taking pictures from another, and a picture
from a blank or broken one, which are the ways in which pictures leave a calibration set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from prompt4trust.pictures import ReducedPicture

Floats = npt.NDArray[np.float64]

SIDE: Final = 64
"""Side of the thumbnail in pixels: finer detail is left to the model."""

TOLERANCE: Final = MappingProxyType(
    {
        "layout": (16, 0.02),
        "tone": (12, 0.02),
        "grain": (16, 0.1),
        "spectrum": (9, 0.2),
        "edges": (96, 0.02),
        "fine": (3, 0.1),
        "colour": (2, 0.05),
        "shape": (1, 0.1),
    }
)
"""Group of numbers -> how many, and the least difference between two pictures that is to count as one.

Where the reference pictures do not differ at all, as grey ones do not in colour, this stands for their spread.
"""

WIDTH: Final = sum(count for count, _ in TOLERANCE.values())

COLOUR: Final = slice(WIDTH - 3, WIDTH - 1)
"""Places of the group "colour"."""

_DARK, _BRIGHT = 0.06, 0.94
_QUANTILES: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_RINGS: Final = (0.5, 1.5, 2.5, 4.0, 6.0, 8.5, 12.0, 16.0, 22.0, 32.5)
_ANGLES: Final = 6


@dataclass(frozen=True, slots=True)
class _Grid:
    """Tables for a thumbnail of fixed side: frequency ring and cell of each pixel, and a window for the FFT."""

    ring: npt.NDArray[np.intp]
    in_ring: npt.NDArray[np.intp]
    cell: npt.NDArray[np.intp]
    window: Floats


@cache
def _grid() -> _Grid:
    across, along = np.meshgrid(np.fft.rfftfreq(SIDE), np.fft.fftfreq(SIDE))
    ring = np.digitize(np.hypot(across, along).ravel() * SIDE, _RINGS)
    quarter = np.arange(SIDE) // (SIDE // 4)
    cell = (quarter[:, None] * 4 + quarter[None, :]).ravel()
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    return _Grid(ring, np.bincount(ring, minlength=len(_RINGS) + 1)[1:-1], cell, window)


def tolerances() -> Floats:
    """List the tolerance of each number; shape [WIDTH]."""
    return np.concatenate([np.full(count, least) for count, least in TOLERANCE.values()])


def describe_picture(picture: ReducedPicture) -> Floats:
    """Describe a picture by its thumbnail; takes less than a millisecond.

    The groups, in order: mean brightness of 4 x 4 cells (layout); quantiles, deviation, and shares of nearly black and
    nearly white pixels (tone); logarithmic deviation within 4 x 4 cells (grain); logarithmic power in nine rings of
    spatial frequency (spectrum); strength of edges by cell and orientation (edges: Dalal and Triggs, CVPR 2005, with
    six orientations and without block normalisation); size of differences from the four neighbours (fine); saturation
    (colour); logarithmic ratio of the sides (shape). The number of pixels does not enter: a picture scaled up is the
    same picture. Nor does it matter whether grey was stored as colour.

    Args:
        picture: The picture, reduced: a JPEG's by its decoder, so that whoever describes a file gets the same numbers.

    Returns:
        Finite numbers; shape [WIDTH].

    Example:
        >>> from PIL import Image
        >>> describe_picture(ReducedPicture.of(Image.new("L", (640, 480), 128))).shape
        (155,)
    """
    grid = _grid()
    shades = np.asarray(picture.thumbnail(SIDE, "L"))
    small = shades.astype(np.float64) / 255
    cells = small.reshape(4, SIDE // 4, 4, SIDE // 4)
    return np.concatenate(
        [
            cells.mean(axis=(1, 3)).ravel(),
            _tone(small, shades),
            np.log(cells.std(axis=(1, 3)).ravel() + 0.01),
            _spectrum(small, grid),
            _edges(small, grid),
            _fine(small),
            _saturation(picture),
            [np.log(picture.size[0] / picture.size[1])],
        ]
    )


def _tone(small: Floats, shades: npt.NDArray[np.uint8]) -> Floats:
    shares = [small.std(), (small < _DARK).mean(), (small > _BRIGHT).mean()]
    # Bytes are put in order by counting, which takes a tenth of what doubles take.
    ordered = np.sort(shades, axis=None, kind="stable").astype(np.float64) / 255
    return np.concatenate([_quantiles(ordered, _QUANTILES), shares])


def _spectrum(small: Floats, grid: _Grid) -> Floats:
    power = np.square(np.abs(np.fft.rfft2((small - small.mean()) * grid.window))).ravel()
    by_ring = np.bincount(grid.ring, power, len(_RINGS) + 1)[1:-1]
    return np.asarray(np.log(by_ring / grid.in_ring + 1e-3))


def _edges(small: Floats, grid: _Grid) -> Floats:
    down, right = np.gradient(small)
    angle = np.arctan2(down, right) % np.pi
    bins = np.minimum((angle * (_ANGLES / np.pi)).astype(np.intp), _ANGLES - 1).ravel()
    strength = np.hypot(right, down).ravel()
    by_cell = np.bincount(grid.cell * _ANGLES + bins, strength, 16 * _ANGLES)
    return np.asarray(np.sqrt(by_cell / (SIDE * SIDE / 16)))


def _fine(small: Floats) -> Floats:
    beside = (small[:-2, 1:-1] + small[2:, 1:-1] + small[1:-1, :-2] + small[1:-1, 2:]) / 4
    apart = np.abs(small[1:-1, 1:-1] - beside)
    return np.asarray(np.log(np.array([apart.std(), *_quantiles(np.sort(apart, axis=None), (0.5, 0.95))]) + 0.003))


def _saturation(picture: ReducedPicture) -> Floats:
    if picture.pixels.mode == "L":
        return np.zeros(2)
    small = np.asarray(picture.thumbnail(SIDE, "RGB"), dtype=np.float64) / 255
    spread = small.max(axis=2) - small.min(axis=2)
    return np.array([spread.mean(), *_quantiles(np.sort(spread, axis=None), (0.95,))])


def _quantiles(ordered: Floats, shares: Sequence[float]) -> Floats:
    """Compute quantiles of ascending numbers as numpy does, to the last bit and in less time; shape [shares]."""
    place = (ordered.size - 1) * np.asarray(shares)
    below = place.astype(np.intp)
    part = place - below
    low, high = ordered[below], ordered[np.minimum(below + 1, ordered.size - 1)]
    return np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part))
