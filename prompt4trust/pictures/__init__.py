"""Pictures: one way to read a file for everybody who shows it to a model."""

from prompt4trust.pictures.base64_text import decode_base64_picture
from prompt4trust.pictures.decoded import DecodedPicture, PictureOrigin
from prompt4trust.pictures.decoding import FORMATS, begins_as_picture, decode_picture
from prompt4trust.pictures.deep_grey import DeepGrey, read_deep_grey
from prompt4trust.pictures.limits import PictureLimits
from prompt4trust.pictures.preparation import PREPARATION_VERSION, PicturePreparation
from prompt4trust.pictures.preparing import PreparedPicture, media_type_of, prepare_picture
from prompt4trust.pictures.windowing import window_grey

__all__ = [
    "FORMATS",
    "PREPARATION_VERSION",
    "DecodedPicture",
    "DeepGrey",
    "PictureLimits",
    "PictureOrigin",
    "PicturePreparation",
    "PreparedPicture",
    "begins_as_picture",
    "decode_base64_picture",
    "decode_picture",
    "media_type_of",
    "prepare_picture",
    "read_deep_grey",
    "window_grey",
]
