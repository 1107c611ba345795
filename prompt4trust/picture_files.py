"""Picture files of data sets, read as the gateway reads a client's: what is fitted there holds here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from prompt4trust.errors import PictureError, TransportError, UnreadablePictureError
from prompt4trust.pictures import (
    PictureLimits,
    PicturePreparation,
    ReducedPicture,
    decode_picture,
    prepare_picture,
)
from prompt4trust.pictures.decoding import is_dicom, size_of_dicom

__all__ = ["PREPARATION", "data_url", "picture_size", "read_picture", "read_reduced_picture"]

_TO_SEND = PictureLimits()
_RECOGNISED_BY = 256  # bytes of a file
_TO_LOOK_AT = PictureLimits(takes_burned_in=True)
PREPARATION = PicturePreparation.of(_TO_SEND)
"""The preparation of every picture that is read here."""


def data_url(path: Path, *, takes_burned_in: bool = False) -> str:
    """Read a picture as the data: URL that a downstream model gets.

    Args:
        path: The file.
        takes_burned_in: Whether that model may be shown DICOM pictures that hold text, or may by what they are: where
            it runs, a patient's name may then be read. The picture that is made no longer says what it holds.

    Returns:
        "data:image/...;base64,...": bit by bit what the gateway would send for the file.

    Raises:
        TransportError: Of the service "image", if the file cannot be read. It is not a model's outcome.
    """
    try:
        limits = replace(_TO_SEND, takes_burned_in=takes_burned_in)
        return prepare_picture(path.read_bytes(), limits).data_url
    except (OSError, PictureError) as error:
        raise TransportError("image", _reason(path, error)) from error


def read_picture(path: Path) -> Image.Image:
    """Read a picture's pixels as a downstream model gets them: upright, of mode L or RGB.

    Raises:
        UnreadablePictureError: If it cannot be read.
    """
    try:
        return decode_picture(path.read_bytes(), _TO_LOOK_AT).pixels
    except (OSError, PictureError) as error:
        raise UnreadablePictureError(_reason(path, error)) from error


def read_reduced_picture(path: Path) -> ReducedPicture:
    """Read a picture as the gateway describes a client's: other than the pixels of a JPEG would be, once reduced.

    Raises:
        UnreadablePictureError: If it cannot be read.
    """
    try:
        return decode_picture(path.read_bytes(), _TO_LOOK_AT, all_pixels=False).reduced
    except (OSError, PictureError) as error:
        raise UnreadablePictureError(_reason(path, error)) from error


def picture_size(path: Path) -> tuple[int, int]:
    """Read a picture's width and height in pixels: those of the file as it lies, without decoding it.

    Raises:
        UnreadablePictureError: If they cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_RECOGNISED_BY)
        if is_dicom(start):
            return size_of_dicom(path.read_bytes(), _TO_LOOK_AT)
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePictureError(_reason(path, error)) from error


def _reason(path: Path, error: Exception) -> str:
    why = error.fault if isinstance(error, PictureError) else type(error).__name__
    if why == "burned-in-annotation":
        return f"{path.name} is not shown to this model: its pixels hold text, or may ({why})"
    told = f"{path.name} cannot be read ({why})"
    return f"{told}: {error.detail}" if isinstance(error, PictureError) else told
