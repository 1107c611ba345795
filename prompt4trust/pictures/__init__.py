"""Pictures: one way to read a file for everybody who shows it to a model."""

from prompt4trust.pictures.base64_text import decode_base64, decode_base64_picture, split_picture_text
from prompt4trust.pictures.data_url import DataUrl
from prompt4trust.pictures.decoded import DecodedPicture, PictureOrigin
from prompt4trust.pictures.decoding import FORMATS, begins_as_picture, decode_picture
from prompt4trust.pictures.deep_grey import DeepGrey, read_deep_grey
from prompt4trust.pictures.dicom import DicomChoice, DicomSource, begins_as_dicom
from prompt4trust.pictures.limits import PictureLimits
from prompt4trust.pictures.preparation import PREPARATION_VERSION, PicturePreparation
from prompt4trust.pictures.preparing import PreparedPicture, media_type_of, prepare_picture
from prompt4trust.pictures.reduced import ReducedPicture
from prompt4trust.pictures.windowing import window_grey

__all__ = [
    "FORMATS",
    "PREPARATION_VERSION",
    "DataUrl",
    "DecodedPicture",
    "DeepGrey",
    "DicomChoice",
    "DicomSource",
    "PictureLimits",
    "PictureOrigin",
    "PicturePreparation",
    "PreparedPicture",
    "ReducedPicture",
    "begins_as_dicom",
    "begins_as_picture",
    "decode_base64",
    "decode_base64_picture",
    "decode_picture",
    "media_type_of",
    "prepare_picture",
    "read_deep_grey",
    "split_picture_text",
    "window_grey",
]
