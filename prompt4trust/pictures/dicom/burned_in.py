"""Text in the pixels of a DICOM object: whether there is some, or may be, by what the object says and what it is."""

from __future__ import annotations

import re
from typing import Any, Final

from prompt4trust.pictures.dicom.attributes import several
from prompt4trust.pictures.dicom.codes import MODALITIES

# Storage of ultrasound (3 and 6, the retired classes too), of secondary captures (7) and of visible light (77 and on).
_CLASSES: Final = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:[36](?:\.|\Z)|7)")
_MODALITIES: Final = frozenset(
    {
        "BDUS",
        "BMD",
        "CD",
        "DD",
        "DOC",
        "EC",
        "ES",
        "HC",
        "IVUS",
        "OPV",
        "OT",
        "SC",
        "US",
    }
)
"""Ultrasound with its older names (Doppler, echocardiography), bone densities and fields of vision, which are printed
pages, endoscopy, printed films, documents and what is of no kind."""
_TYPES: Final = frozenset(
    {"CAPTURE", "DOSE", "LABEL", "OVERVIEW", "PROT", "PROTOCOL", "SCREEN", "SCREENSAVE", "SCREENSHOT", "SECONDARY"}
)
"""Words of Image Type. SECONDARY is often all that marks a CT's dose sheet, which states modality and class of a slice.
Reformatted slices have it too: they are kept back unless they say NO, as a name that leaves cannot be called back."""
_LABEL: Final = "LABEL"
_WORD: Final = re.compile(r"[A-Z0-9]+")


def may_hold_text(dataset: Any) -> bool:
    """Whether the pixels hold text about a patient, or may: by what the object says, else by what it is.

    A specimen's label is text, whatever else is said. Of several statements one YES is enough, and no NO counts.
    """
    types = {word for each in _values(dataset, "ImageType") for word in _WORD.findall(each)}
    if "YES" in _values(dataset, "SpecimenLabelInImage") or _LABEL in types:
        return True
    stated = _values(dataset, "BurnedInAnnotation")
    if "YES" in stated:
        return True
    if stated == ["NO"]:
        return False
    classes = [*_values(dataset, "SOPClassUID"), *_values(getattr(dataset, "file_meta", {}), "MediaStorageSOPClassUID")]
    modalities = set(_values(dataset, "Modality"))
    return (
        any(_CLASSES.match(each) for each in classes)
        or bool(_values(dataset, "ConversionType"))
        or not modalities
        or not modalities <= MODALITIES
        or bool(modalities & _MODALITIES)
        or bool(types & _TYPES)
    )


def _values(dataset: Any, keyword: str) -> list[str]:
    """List an element's values in capitals, without those that are empty."""
    return [text for each in several(dataset.get(keyword)) if (text := str(each).strip(" \0").upper())]
