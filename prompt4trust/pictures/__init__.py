"""Pictures: one way to read a file for everybody who shows it to a model."""

from typing import Final

from prompt4trust.pictures.base64_text import decode_base64_picture
from prompt4trust.pictures.decoding import FORMATS, DecodedPicture, PictureLimits, decode_picture
from prompt4trust.pictures.preparing import PreparedPicture, prepare_picture
from prompt4trust.pictures.windowing import window_grey

PREPARATION_VERSION: Final = 1
"""Version of what becomes of a file's pixels; raised whenever any file is read as other pixels than before."""

__all__ = [
    "FORMATS",
    "PREPARATION_VERSION",
    "DecodedPicture",
    "PictureLimits",
    "PreparedPicture",
    "decode_base64_picture",
    "decode_picture",
    "prepare_picture",
    "window_grey",
]
