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
    """

    max_pixels: int = 64_000_000
    min_side: int = 8
    max_aspect: float = 50.0
    max_side: int = 1024
    max_memory: int = 512_000_000


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
