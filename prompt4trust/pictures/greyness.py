"""Grey that was stored as colour, as teaching files are."""

from __future__ import annotations

from PIL import Image, ImageChops

from prompt4trust.pictures.grey_values import bands


def as_grey(picture: Image.Image) -> Image.Image:
    """Take one channel of a colour picture whose three are the same; one pixel in colour leaves it as it is."""
    if picture.mode != "RGB":
        return picture
    for _, band in bands(picture):
        red, green, blue = band.split()
        if ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox():
            return picture
    return red if red.size == picture.size else picture.getchannel(0)
