"""Decoded pictures: their pixels without anything that lay around them, and grey where they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from PIL import Image

from prompt4trust.pictures.dicom import DicomSource
from prompt4trust.pictures.dicom.sex_and_age import SexAndAge
from prompt4trust.pictures.greyness import as_grey
from prompt4trust.pictures.reduced import ReducedPicture


@dataclass(frozen=True, slots=True)
class PictureOrigin:
    """Where a picture came from, and what was done to it.

    Attributes:
        format: The file's format, one of FORMATS or "DICOM".
        size: Width and height in the file, in pixels.
        window: The values that became black and white, where grey deeper than eight bits was windowed; else None.
        scale: Pixels of a side for each one in the file, at most 1.
        dicom: The instance, frame and window, where the file was a DICOM object; else None.
        sex_and_age: What a DICOM object says of its patient's sex and age, where that is read; else None.
    """

    format: str
    size: tuple[int, int]
    window: tuple[float, float] | None
    scale: float
    dicom: DicomSource | None = None
    sex_and_age: SexAndAge | None = None


class DecodedPicture:
    """A picture as models see it.

    Args:
        size: Its width and height.
        origin: Where it came from.
        made: Its pixels, upright and of mode L or RGB; before they were coded where a JPEG was made of them; None where
            the JPEG is the client's own.
        jpeg: The JPEG that decodes to the picture's pixels, where the file was one; else None.
    """

    def __init__(
        self, size: tuple[int, int], origin: PictureOrigin, made: Image.Image | None, jpeg: bytes | None
    ) -> None:
        self.size = size
        self.origin = origin
        self.jpeg = jpeg
        self._made = made

    @cached_property
    def pixels(self) -> Image.Image:
        """Pixels, upright, of mode L or RGB, and without metadata.

        Of a JPEG they are decoded when they are first asked for: it goes on without them. Memory may run out then
        (MemoryError), and a file that was not looked at yet turn out to be damaged (OSError).
        """
        if self.jpeg is None:
            assert self._made is not None  # noqa: S101 - there is nothing else to decode
            return self._made
        with Image.open(BytesIO(self.jpeg), formats=("JPEG",)) as image:
            image.load()
            # Copied: Pillow keeps what a file says beside its pixels on the object, and would write it again.
            return bare(as_grey(image))

    @cached_property
    def reduced(self) -> ReducedPicture:
        """The picture as it is described; of the pixels before they were coded, where a JPEG was made of them here.

        Memory may run out (MemoryError), and a client's own JPEG that was not looked at yet turn out to be damaged
        (OSError).
        """
        if self._made is not None:
            return ReducedPicture.of(self._made)
        assert self.jpeg is not None  # noqa: S101 - one of the two is there
        return ReducedPicture.of_jpeg(self.jpeg)


def bare(picture: Image.Image) -> Image.Image:
    """Copy the pixels and nothing else: Pillow keeps a file's profile, text and resolution on the object."""
    canvas = Image.new(picture.mode, picture.size)
    canvas.paste(picture)
    return canvas
