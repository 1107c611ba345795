"""A look at a picture as the models would see it, made by a worker: light, as `picture_task` is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from prompt4trust.pictures import DicomChoice, PictureLimits, PreparedPicture, decode_picture, read_deep_grey

VIEW: Final = "view"
"""Argument that asks for a look; its value is whether deep grey is wanted with it."""


def view_arguments(
    limits: PictureLimits, media_type: str | None, *, grey: bool, choice: DicomChoice
) -> Mapping[str, Any]:
    """Put the arguments of `view` together, as JSON holds them.

    Args:
        limits: What the picture may be.
        media_type: The type that the client declared, or None.
        grey: Whether the values of deep grey are wanted.
        choice: The part of a DICOM object that is wanted.
    """
    return {"limits": asdict(limits), "media_type": media_type, "choice": choice.as_json(), VIEW: grey}


def view(file: bytes, asked: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
    """Prepare a picture as for the models, with the values of deep grey where they are wanted.

    Args:
        file: The client's file.
        asked: As `view_arguments` made it.

    Returns:
        `{"picture": the fields of the PreparedPicture but its bytes, "grey": what there is to know of the values or
        None, "at": where they begin}`; and the bytes: the prepared file, then the values, 16 bits each, the lower byte
        first.

    Raises:
        PictureError: If the picture is not taken.
    """
    decoded = decode_picture(
        file,
        PictureLimits(**asked["limits"]),
        media_type=asked["media_type"],
        choice=DicomChoice.from_json(asked["choice"]),
        all_pixels=False,
    )
    fields = asdict(PreparedPicture.of(decoded))
    prepared: bytes = fields.pop("file")
    grey = read_deep_grey(file, decoded) if asked[VIEW] else None
    if grey is None:
        return {"picture": fields, "grey": None, "at": len(prepared)}, prepared
    height, width = grey.values.shape
    known = {"width": width, "height": height, "low": grey.low, "high": grey.high, "inverted": grey.is_inverted}
    return {"picture": fields, "grey": known, "at": len(prepared)}, prepared + grey.values.astype("<u2").tobytes()
