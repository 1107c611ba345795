"""Reduced pictures: all that a description looks at, at a small part of what all pixels would cost."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Final, Self

from PIL import Image
from PIL.Image import Resampling

from prompt4trust.pictures.greyness import as_grey

LEAST_SIDE: Final = 112
"""Fewest pixels that reducing leaves of the shorter side: near twice as many as a thumbnail has."""
_FACTORS: Final = (8, 4, 2)  # what a JPEG's decoder offers


@dataclass(frozen=True, slots=True)
class ReducedPicture:
    """A picture made smaller by a whole factor, as it is described.

    A pixel is the mean of a square of the picture's pixels. Of a JPEG the decoder makes it: it reads all of the coded
    data, so that a file that is cut short or broken is found, and leaves out most of the arithmetic. The last row and
    column then hold what the file's last blocks were filled up with; `thumbnail` leaves that out.

    Attributes:
        pixels: Of mode L or RGB.
        size: Width and height of the picture that it was made of, in pixels.
        factor: Pixels of a side for one here: 1, 2, 4 or 8.

    Example:
        >>> reduced = ReducedPicture.of(Image.new("L", (905, 1022)))
        >>> reduced.factor, reduced.pixels.size, reduced.size
        (8, (114, 128), (905, 1022))
    """

    pixels: Image.Image
    size: tuple[int, int]
    factor: int

    @classmethod
    def of(cls, picture: Image.Image) -> Self:
        """Reduce a picture that was no JPEG, or was not coded yet.

        Args:
            picture: Of mode L or RGB; others are converted.
        """
        picture.load()  # or it would be when its file is closed
        plain = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
        factor = _factor_of(plain.size)
        return cls(as_grey(plain.reduce(factor) if factor > 1 else plain), plain.size, factor)

    @classmethod
    def of_jpeg(cls, file: bytes) -> Self:
        """Decode a JPEG of grey or YCbCr to its reduced picture.

        Raises:
            OSError: If it is damaged.
        """
        with Image.open(BytesIO(file), formats=("JPEG",)) as image:
            size, factor = image.size, _factor_of(image.size)
            image.draft(None, (size[0] // factor, size[1] // factor))
            image.load()
            return cls(as_grey(image), size, factor)

    def thumbnail(self, side: int, mode: str) -> Image.Image:
        """Scale to a square, whatever the ratio of the sides.

        Args:
            side: Its side in pixels.
            mode: "L" or "RGB".
        """
        box = (0, 0, self.size[0] / self.factor, self.size[1] / self.factor)
        return self.pixels.convert(mode).resize((side, side), Resampling.BILINEAR, box)


def _factor_of(size: tuple[int, int]) -> int:
    return next((factor for factor in _FACTORS if min(size) // factor >= LEAST_SIDE), 1)
