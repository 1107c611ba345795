"""The page's samples for a pair that reads real pictures: slices that pydicom carries, decoded when a gateway starts.

They are pydicom's own test files (MIT licence), of nobody who could be named; nothing of them is kept here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import structlog

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SliceSample:
    """A slice, and what is asked about it."""

    file: str
    label: str
    question: str
    options: tuple[str, ...]

    @property
    def image(self) -> str:
        """Name that the page fetches it by."""
        return f"{self.file.removesuffix('.dcm')}.png"


SLICES: Final = (
    SliceSample(
        "J2K_pixelrep_mismatch.dcm", "CT, body part", "Which body part is shown?", ("Head", "Chest", "Abdomen")
    ),
    SliceSample("examples_overlay.dcm", "MR, a finding", "Is there a mass in the liver?", ("Yes", "No")),
    # A part of a slice: unlike the whole ones that promises rest on.
    SliceSample("CT_small.dcm", "CT, in part", "Which body part is shown?", ("Head", "Chest", "Abdomen")),
)

LIMITS: Final = PictureLimits(takes_burned_in=True)
"""Bounds on these files. Their kinds often hold text; a person has looked at them, and they hold none."""


def slice_file(sample: SliceSample) -> bytes:
    """Read a sample's DICOM file out of pydicom.

    Raises:
        ImportError: If pydicom is not installed.
        FileNotFoundError: If it does not carry the file any more.
    """
    return (files("pydicom") / "data" / "test_files" / sample.file).read_bytes()


def slice_samples() -> Mapping[str, tuple[bytes, str]]:
    """Make the samples' files.

    Returns:
        Name below the page's samples -> content and media type: samples.json, and a PNG a slice. A slice that pydicom
        does not carry, or that cannot be decoded, is left out and logged; without pydicom there are none.
    """
    found: dict[str, tuple[bytes, str]] = {}
    shown = []
    for sample in SLICES:
        try:
            pixels = decode_picture(slice_file(sample), LIMITS).pixels
        except ImportError:
            continue
        except (OSError, PictureError) as error:
            # A sample is no reason not to answer.
            _log.warning("a sample of the page is left out", file=sample.file, reason=str(error))
            continue
        stream = io.BytesIO()
        pixels.save(stream, "PNG")
        found[sample.image] = (stream.getvalue(), "image/png")
        asked = {"label": sample.label, "question": sample.question, "options": list(sample.options)}
        shown.append({"image": sample.image, **asked})
    return {"samples.json": (json.dumps(shown).encode(), "application/json"), **found}
