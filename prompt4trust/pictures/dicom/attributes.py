"""Attributes of a DICOM object: those that pictures need, and those that go beside one.

The latter are checked, since a patient's name may stand in any of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from pydicom.datadict import tag_for_keyword

KEYWORDS: Final = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "BodyPartExamined",
    "ConversionType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PresentationLUTShape",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "FloatPixelPaddingValue",
    "FloatPixelPaddingRangeLimit",
    "DoubleFloatPixelPaddingValue",
    "DoubleFloatPixelPaddingRangeLimit",
    "BurnedInAnnotation",
    "SpecimenLabelInImage",
    "ImageType",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
    "RescaleIntercept",
    "RescaleSlope",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
"""Elements that are read of every object: all others, the patient's among them, are passed over."""
PATIENT_TAGS: Final = (0x0010_0040, 0x0010_1010)
"""Tags of Patient's Sex and Patient's Age, which are read only where `PictureLimits.reads_sex_and_age` says so."""
OVERLAY_ROWS: Final = tuple(0x6000_0010 + (group << 17) for group in range(16))
"""Tags by which overlays are known."""
READ_TAGS: Final = (*(tag for each in KEYWORDS if (tag := tag_for_keyword(each))), *OVERLAY_ROWS)
"""Tags of these elements, and those of overlays."""
PIXEL_TAGS: Final = {0x7FE0_0008: "FloatPixelData", 0x7FE0_0009: "DoubleFloatPixelData", 0x7FE0_0010: "PixelData"}
"""Tags of the elements that hold pixels."""
_UID: Final = re.compile(r"(?=.{1,64}\Z)[0-2](?:\.(?:0|[1-9][0-9]*))+")
_LONGEST_NAME: Final = 64


def uid_of(dataset: Any, keyword: str) -> str:
    """Take a UID; empty where there is none, or something else in its place."""
    value = text_of(dataset, keyword)
    return value if _UID.fullmatch(value) else ""


def code_of(dataset: Any, keyword: str, known: Collection[str]) -> str:
    """Take a code string, such as a modality; empty where there is none, or none of those that are known."""
    value = text_of(dataset, keyword).upper()
    return value if value in known else ""


def name_of(value: Any) -> str | None:
    """Take a name that a window or a table has; None where it has none."""
    text = "".join(each for each in str(value or "") if each.isprintable()).strip()
    return text[:_LONGEST_NAME] or None


def text_of(dataset: Any, keyword: str) -> str:
    """Take a text of one value, the first of several; empty where there is none."""
    return str(next(iter(several(dataset.get(keyword))), "")).strip().rstrip("\0")


def several(value: Any) -> list[Any]:
    """List an element's values; none of an empty one."""
    if value is None:
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
