"""Refusals of DICOM objects. None of them quotes what an object holds: that may be a patient's name."""

from __future__ import annotations

from typing import Final

from pydicom.uid import UID

from prompt4trust.errors import PictureError

_DRAWN: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
        "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
    }
)
"""Classes whose pixels are marks and doses that lie over a picture."""


def no_picture(sop_class: str) -> PictureError:
    """Error for an object that is no image, by the name that the standard has for its class."""
    name = uid_name(sop_class)
    what = "has no pixels" if name is None else f"is of the class {name}, and has no pixels"
    return PictureError("not-a-picture", f"The DICOM object {what}: send an image object.")


def is_drawn(sop_class: str) -> bool:
    """Whether an object's pixels are drawn over a picture and show no patient: of segmentations and doses."""
    return sop_class in _DRAWN


def check_is_picture(sop_class: str) -> None:
    """Refuse an object whose pixels show no patient: segmentations and doses, which a model would take for a picture.

    Raises:
        PictureError: Fault "not-a-picture".
    """
    if is_drawn(sop_class):
        what = "is a segmentation or a dose" if (name := uid_name(sop_class)) is None else f"is of the class {name}"
        raise PictureError(
            "not-a-picture",
            f"The DICOM object {what}, whose pixels lie over a picture and are none: send that picture.",
        )


def unknown_coding(syntax: str) -> PictureError:
    """Error for a transfer syntax that is not read."""
    name = uid_name(syntax)
    what = "in a transfer syntax that is not read" if name is None else f"as {name}, which is not read"
    return PictureError("unsupported-image", f"The DICOM object's pixels are coded {what}: export it uncompressed.")


def unread(what: str) -> PictureError:
    """Error for an object that is well formed and yet not read; `what` ends a sentence about it."""
    return PictureError("unsupported-image", f"The DICOM object {what}: export it as grey or RGB.")


def damaged(what: str = "cannot be read: it is damaged or cut short") -> PictureError:
    """Error for an object that breaks the standard's rules; `what` ends a sentence about it."""
    return PictureError("damaged-image", f"The DICOM object {what}. Export it again and resend it.")


def unknown_frame(frames: int) -> PictureError:
    """Error for a frame that an object does not have."""
    return PictureError(
        "unknown-frame", f"The DICOM object has {frames} frame{'s' * (frames != 1)}: ask for one of them."
    )


def unknown_window(windows: int) -> PictureError:
    """Error for a window that an object does not have."""
    return PictureError(
        "unknown-window",
        f"The DICOM object has no window of that name, but {windows} of other names or of none: name one of them, or "
        "give centre and width.",
    )


def window_not_applicable() -> PictureError:
    """Error for a window that was asked for of a picture in colour."""
    return PictureError("unknown-window", "The DICOM object is in colour, which is not windowed: ask without a window.")


def burned_in() -> PictureError:
    """Error for a picture that may have names in its pixels, where the model is another party's."""
    return PictureError(
        "burned-in-annotation",
        "The DICOM object says that its pixels hold text, or is of a kind that often does and does not say that they "
        "hold none (BurnedInAnnotation): such pictures are not sent to this model.",
    )


def uid_name(value: str) -> str | None:
    """Name that the standard has for a UID; None for others."""
    uid = UID(value)
    return uid.name if uid.name != uid else None
