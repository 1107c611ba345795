"""Bounds on a picture, and the refusals of those beyond them."""

from __future__ import annotations

from dataclasses import dataclass

from prompt4trust.errors import PictureError


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Bounds on a picture that comes in, and on the one that goes on.

    Attributes:
        max_pixels: Most pixels of a picture, checked before any is decoded; at most Pillow's own limit of 89 million.
        min_side: Fewest pixels on either side.
        max_aspect: Greatest ratio of the longer to the shorter side.
        max_side: Longer side of what goes on; larger pictures are scaled down, smaller ones are left as they are.
        max_memory: Bytes that decoding may take by the header, checked before anything is decoded.
        takes_burned_in: Whether DICOM objects are taken that hold text in their pixels, or may by what they are: only
            where the picture stays with whoever may read a patient's name.
        reads_sex_and_age: Whether the patient's sex and age are read of DICOM objects, of which else nothing that tells
            of a patient is: only where promises by group need them.
    """

    max_pixels: int = 64_000_000
    min_side: int = 8
    max_aspect: float = 50.0
    max_side: int = 1024
    max_memory: int = 512_000_000
    takes_burned_in: bool = False
    reads_sex_and_age: bool = False


def check_size(size: tuple[int, int], limits: PictureLimits) -> None:
    """Refuse a picture by its width and height.

    Raises:
        PictureError: Faults "image-too-large", "image-too-small" and "image-too-narrow".
    """
    width, height = size
    if width * height > limits.max_pixels:
        raise too_many_pixels(limits, size)
    if min(width, height) < limits.min_side:
        raise PictureError(
            "image-too-small",
            f"The image is {width} x {height} pixels; both sides must have {limits.min_side} or more.",
        )
    if max(width, height) > limits.max_aspect * min(width, height):
        raise PictureError(
            "image-too-narrow",
            f"The image is {width} x {height} pixels; the longer side may be {limits.max_aspect:g} times the shorter.",
        )


def too_many_pixels(limits: PictureLimits, size: tuple[int, int] | None = None) -> PictureError:
    """Error for a picture of more pixels than are taken; its size in pixels where it is known."""
    found = "" if size is None else f": it is {size[0]} x {size[1]} pixels"
    return PictureError(
        "image-too-large",
        f"The image has more than {limits.max_pixels / 1e6:g} million pixels{found}. Scale it down and resend it.",
    )


def too_much_memory(limits: PictureLimits) -> PictureError:
    """Error for a picture that would take more memory than there is for one."""
    return PictureError(
        "image-too-large",
        f"Decoding the image takes more than {limits.max_memory / 1e6:.0f} MB: it has too many pixels for its kind of "
        "file. Scale it down, or save it as a JPEG or as a PNG of 8 bits, and resend it.",
    )


def too_complex(many: str) -> PictureError:
    """Error for a file whose structure makes it slow to read; `many` names what there is too much of."""
    return PictureError("image-too-complex", f"The image's file has {many}. Save it anew as a plain PNG or JPEG.")
