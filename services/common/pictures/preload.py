"""Imports that every picture worker needs, made once in the process that they are forked from.

A worker that was killed is then replaced in milliseconds, and the workers share the pages of what is imported here.
"""

from importlib.util import find_spec

from PIL import Image

import prompt4trust.pictures
import prompt4trust.shift
import services.common.pictures.worker  # noqa: F401

# All of Pillow's readers, which would otherwise be imported again and again, at each worker's first WebP or TIFF.
Image.init()

if find_spec("pydicom") is not None:
    import prompt4trust.pictures.dicom.reading  # noqa: F401
