"""A client's picture is decoded once, prepared and described, by a worker process: its pixels never leave that.

This module is imported by the workers, too: it stays light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from prompt4trust.pictures import PictureLimits, PreparedPicture, decode_picture
from prompt4trust.shift import Described, Words, get_descriptor
from services.common.pictures.worker import Rest
from services.gateway.intake.view_task import VIEW, view


def prepare_and_describe(file: bytes, asked: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes, Rest]:
    """Decode a picture once, for the models and for the comparison with known questions.

    Args:
        file: The client's file.
        asked: As `arguments` made it; or, for a look at the picture without a question, `view_task.view_arguments`.

    Returns:
        The fields of the PreparedPicture but its bytes, as JSON holds them; these bytes; and what makes `{descriptor's
        id: description}` (see `described_from`), which is not needed before the models have answered.

    Raises:
        PictureError: If the picture is not taken.
    """
    if VIEW in asked:
        return (*view(file, asked), dict)
    limits = PictureLimits(**asked["limits"])
    decoded = decode_picture(file, limits, media_type=asked["media_type"], filename=asked["filename"])
    fields = asdict(PreparedPicture.of(decoded))
    prepared = fields.pop("file")
    question, options, descriptors = asked["question"], asked["options"], asked["descriptors"]

    def describe() -> Mapping[str, Any]:
        return {
            name: _as_json(get_descriptor(name).describe(decoded.pixels, question, options)) for name in descriptors
        }

    return fields, prepared, describe


def arguments(
    limits: PictureLimits,
    media_type: str | None,
    filename: str | None,
    question: str,
    options: Mapping[str, str],
    descriptors: Sequence[str],
) -> Mapping[str, Any]:
    """Put the task's arguments together, as JSON holds them.

    Args:
        limits: What the picture may be.
        media_type: The type that the client declared, or None.
        filename: The name that the client gave, or None.
        question: What is asked.
        options: Letter -> text.
        descriptors: Ids of the descriptors by which question and picture are described.
    """
    return {
        "limits": asdict(limits),
        "media_type": media_type,
        "filename": filename,
        "question": question,
        "options": dict(options),
        "descriptors": list(descriptors),
    }


def described_from(found: Mapping[str, Any]) -> Described:
    """Read a description from the task's result."""
    traits = {
        name: np.array(trait, dtype=np.float64)
        if isinstance(trait, list)
        else Words(tuple(trait["question"]), tuple(trait["options"]))
        for name, trait in found["traits"].items()
    }
    return Described(traits, dict(found["twins"]))


def _as_json(described: Described) -> Mapping[str, Any]:
    traits = {
        name: asdict(trait) if isinstance(trait, Words) else trait.tolist() for name, trait in described.traits.items()
    }
    return {"traits": traits, "twins": dict(described.twins)}
