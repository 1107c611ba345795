"""Reading a DICOM object: a frame as the picture that models see, and as grey in its own units for a viewer.

Elements that say who the patient is are never parsed, sex and age only where the limits say so. Nothing that the object
says is quoted in a refusal.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.processing import apply_color_lut

from prompt4trust.errors import PictureError
from prompt4trust.pictures.dicom.attributes import code_of, text_of, uid_of
from prompt4trust.pictures.dicom.bounds import check_bounds
from prompt4trust.pictures.dicom.burned_in import may_hold_text
from prompt4trust.pictures.dicom.choice import DicomChoice
from prompt4trust.pictures.dicom.codes import BODY_PARTS, MODALITIES
from prompt4trust.pictures.dicom.frames import DicomFrame, choose_frame
from prompt4trust.pictures.dicom.opening import OpenedDicom, open_dicom
from prompt4trust.pictures.dicom.pixels import stored_values
from prompt4trust.pictures.dicom.refusals import burned_in, damaged, no_picture, window_not_applicable
from prompt4trust.pictures.dicom.sex_and_age import SexAndAge
from prompt4trust.pictures.dicom.shading.grey import Grey, WindowUsed, grey_of, shaded
from prompt4trust.pictures.dicom.source import DicomSource
from prompt4trust.pictures.limits import PictureLimits

_COLOUR: Final = 3
_BYTE: Final = 8
_warnings = threading.Lock()


@dataclass(frozen=True, slots=True)
class DicomPicture:
    """A frame of a DICOM object as a picture.

    Attributes:
        image: Its pixels, of mode L or RGB, of the object's own size.
        window: The values that became black and white, in the object's own units; None where none were chosen.
        source: Where they came from.
        sex_and_age: What the object says of its patient's sex and age, where that is read; else None.
    """

    image: Image.Image
    window: tuple[float, float] | None
    source: DicomSource
    sex_and_age: SexAndAge | None = None


def read_dicom(data: bytes, limits: PictureLimits, choice: DicomChoice) -> DicomPicture:
    """Read a frame of a DICOM object.

    Args:
        data: The file.
        limits: What it may be.
        choice: The frame and the window that are wanted.

    Raises:
        PictureError: If it is not taken.
    """
    with _reading():
        opened, frame = _opened(data, limits, choice)
        values = stored_values(opened, frame)
        if values.ndim == _COLOUR or opened.dataset.PhotometricInterpretation == "PALETTE COLOR":
            if choice.window is not None:
                raise window_not_applicable()
            pixels, used = _colour(values, opened.dataset), WindowUsed("none")
        else:
            pixels, used = shaded(grey_of(values, frame), frame, choice)
        told = _sex_and_age(opened.dataset) if limits.reads_sex_and_age else None
    return DicomPicture(Image.fromarray(pixels), used.ends, _source(opened, frame, used), told)


def read_grey(data: bytes, limits: PictureLimits, choice: DicomChoice) -> Grey | None:
    """Read a frame's grey; None of a picture in colour.

    Args:
        data: As in `read_dicom`.
        limits: As there.
        choice: As there; the window does not matter.

    Raises:
        PictureError: If it is not taken.
    """
    with _reading():
        opened, frame = _opened(data, limits, choice)
        if not str(opened.dataset.get("PhotometricInterpretation")).startswith("MONOCHROME"):
            return None
        return grey_of(stored_values(opened, frame), frame)


def read_size(data: bytes, limits: PictureLimits) -> tuple[int, int]:
    """Read the width and height in pixels that an object states of its frames.

    Raises:
        PictureError: If it states none, or is not taken.
    """
    with _reading():
        opened, _ = _opened(data, limits, DicomChoice())
        return int(opened.dataset.Columns), int(opened.dataset.Rows)


@contextmanager
def _reading() -> Iterator[None]:
    """Let nothing that pydicom says of an object through: its warnings and errors quote values."""
    # Python's filters are the whole process's.
    with _warnings, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (MemoryError, PictureError):
            raise
        except Exception as error:
            # Elements are converted when they are looked at, and pydicom raises whatever their faults lead to.
            raise damaged() from error


def _opened(data: bytes, limits: PictureLimits, choice: DicomChoice) -> tuple[OpenedDicom, DicomFrame]:
    opened = open_dicom(data, limits)
    if opened.keyword is None:
        raise no_picture(text_of(opened.dataset, "SOPClassUID") or _class_in_header(opened.dataset))
    if not limits.takes_burned_in and may_hold_text(opened.dataset):
        raise burned_in()
    _check_polarity(opened.dataset)
    frame = choose_frame(opened.dataset, choice)
    check_bounds(opened, frame, limits)
    return opened, frame


def _check_polarity(dataset: Any) -> None:
    """Refuse grey of which the object says both that its least is black and that it is white: viewers differ then."""
    shape, kind = text_of(dataset, "PresentationLUTShape"), text_of(dataset, "PhotometricInterpretation")
    if (shape, kind) in (("INVERSE", "MONOCHROME2"), ("IDENTITY", "MONOCHROME1")):
        raise damaged("contradicts itself on whether its least grey is black or white")


def _class_in_header(dataset: Any) -> str:
    return text_of(dataset.file_meta, "MediaStorageSOPClassUID")


def _colour(values: NDArray[Any], dataset: Any) -> NDArray[np.uint8]:
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        # Tables of 16 bits are filled with 8 by many devices.
        bits = _BYTE if values.dtype.itemsize == 1 or int(values.max(initial=0)) < 1 << _BYTE else 8 * values.itemsize
    else:
        bits = int(dataset.get("BitsStored") or _BYTE)
    if bits > _BYTE:
        values = values >> (bits - _BYTE)
    elif bits < _BYTE:
        values = values << (_BYTE - bits)
    return np.ascontiguousarray(values[:, :, :_COLOUR].astype(np.uint8))


def _sex_and_age(dataset: Any) -> SexAndAge:
    return SexAndAge.read(text_of(dataset, "PatientSex"), text_of(dataset, "PatientAge"))


def _source(opened: OpenedDicom, frame: DicomFrame, used: WindowUsed) -> DicomSource:
    dataset, window = opened.dataset, used.window
    return DicomSource(
        study_uid=uid_of(dataset, "StudyInstanceUID"),
        series_uid=uid_of(dataset, "SeriesInstanceUID"),
        sop_class_uid=uid_of(dataset, "SOPClassUID"),
        sop_instance_uid=uid_of(dataset, "SOPInstanceUID"),
        modality=code_of(dataset, "Modality", MODALITIES),
        body_part=code_of(dataset, "BodyPartExamined", BODY_PARTS) or None,
        frame=frame.number,
        frames=frame.count,
        window_center=None if window is None else window.center,
        window_width=None if window is None else window.width,
        window_name=used.name,
        window_from=used.origin,
        has_overlays=opened.has_overlays,
    )
