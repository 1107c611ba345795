"""Pictures: one way to read a file for everybody who shows it to a model."""

from typing import Final

from prompt4trust.pictures.base64_text import decode_base64_picture
from prompt4trust.pictures.decoding import FORMATS, DecodedPicture, PictureLimits, PictureOrigin, decode_picture
from prompt4trust.pictures.preparing import PreparedPicture, media_type_of, prepare_picture
from prompt4trust.pictures.windowing import window_grey

PREPARATION_VERSION: Final = 2
"""Version of what becomes of a file's pixels; raised whenever any file is read as other pixels than before."""

__all__ = [
    "FORMATS",
    "PREPARATION_VERSION",
    "DecodedPicture",
    "PictureLimits",
    "PictureOrigin",
    "PreparedPicture",
    "decode_base64_picture",
    "decode_picture",
    "media_type_of",
    "prepare_picture",
    "window_grey",
]
