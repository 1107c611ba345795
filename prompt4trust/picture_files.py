"""Picture files of data sets, read as the gateway reads a client's: what is fitted there holds here."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from prompt4trust.errors import PictureError, TransportError, UnreadablePictureError
from prompt4trust.pictures import PictureLimits, PicturePreparation, decode_picture, prepare_picture

__all__ = ["PREPARATION", "data_url", "read_picture"]

_LIMITS = PictureLimits()
PREPARATION = PicturePreparation.of(_LIMITS)
"""The preparation of every picture that is read here."""


def data_url(path: Path) -> str:
    """Read a picture as the data: URL that a downstream model gets.

    Args:
        path: The file.

    Returns:
        "data:image/...;base64,...": bit by bit what the gateway would send for the file.

    Raises:
        TransportError: Of the service "image", if the file cannot be read. It is not a model's outcome.
    """
    try:
        return prepare_picture(path.read_bytes(), _LIMITS).data_url
    except (OSError, PictureError) as error:
        raise TransportError("image", _reason(path, error)) from error


def read_picture(path: Path) -> Image.Image:
    """Read a picture's pixels as a downstream model gets them: upright, of mode L or RGB.

    Raises:
        UnreadablePictureError: If it cannot be read.
    """
    try:
        return decode_picture(path.read_bytes(), _LIMITS).pixels
    except (OSError, PictureError) as error:
        raise UnreadablePictureError(_reason(path, error)) from error


def _reason(path: Path, error: OSError | PictureError) -> str:
    why = error.fault if isinstance(error, PictureError) else type(error).__name__
    return f"{path.name} cannot be read ({why})"
