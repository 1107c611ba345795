"""A client's picture is decoded once, prepared and described, by a worker process: its pixels never leave that.

This module is imported by the workers, too: it stays light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from prompt4trust.pictures import DicomChoice, PictureLimits, PreparedPicture, decode_picture
from prompt4trust.shift import Described, get_descriptor
from services.common.pictures.worker import Rest
from services.gateway.intake.view_task import VIEW, view


def prepare_and_describe(file: bytes, asked: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes, Rest]:
    """Decode a picture once, for the models and for the comparison with known questions.

    Args:
        file: The client's file.
        asked: As `arguments` made it; or, for a look at the picture without a question, `view_task.view_arguments`.

    Returns:
        The fields of the PreparedPicture but its bytes, as JSON holds them; these bytes; and what makes `{descriptor's
        id: description of the picture}` (see `described_from`), which is not needed before the models have answered.

    Raises:
        PictureError: If the picture is not taken.
    """
    if VIEW in asked:
        return (*view(file, asked), dict)
    limits = PictureLimits(**asked["limits"])
    decoded = decode_picture(
        file,
        limits,
        media_type=asked["media_type"],
        filename=asked["filename"],
        choice=DicomChoice.from_json(asked["choice"]),
        all_pixels=False,
    )
    fields = asdict(PreparedPicture.of(decoded))
    prepared = fields.pop("file")

    def describe() -> Mapping[str, Any]:
        return {name: _as_json(get_descriptor(name).describe_picture(decoded.reduced)) for name in asked["descriptors"]}

    return fields, prepared, describe


def arguments(
    limits: PictureLimits,
    media_type: str | None,
    filename: str | None,
    descriptors: Sequence[str],
    choice: DicomChoice = DicomChoice(),  # noqa: B008 - frozen
) -> Mapping[str, Any]:
    """Put the task's arguments together, as JSON holds them.

    Args:
        limits: What the picture may be.
        media_type: The type that the client declared, or None.
        filename: The name that the client gave, or None.
        descriptors: Ids of the descriptors by which the picture is described.
        choice: The part of a DICOM object that is asked about.
    """
    return {
        "limits": asdict(limits),
        "media_type": media_type,
        "filename": filename,
        "descriptors": list(descriptors),
        "choice": choice.as_json(),
    }


def described_from(found: Mapping[str, Any]) -> Described:
    """Read a picture's description from the task's result."""
    traits = {name: np.array(numbers, dtype=np.float64) for name, numbers in found["traits"].items()}
    return Described(traits, dict(found["twins"]))


def _as_json(described: Described) -> Mapping[str, Any]:
    traits = {name: np.asarray(numbers).tolist() for name, numbers in described.traits.items()}
    return {"traits": traits, "twins": dict(described.twins)}
