"""Elements that decide what pixels mean: an object without one of them, or with another, shows something else."""

from __future__ import annotations

from typing import Final

from pydicom.dataelem import DataElement

from prompt4trust.pictures.dicom.attributes import several

MEANING: Final = frozenset(
    {
        "BitsAllocated",
        "BitsStored",
        "BluePaletteColorLookupTableData",
        "BluePaletteColorLookupTableDescriptor",
        "Columns",
        "DoubleFloatPixelPaddingRangeLimit",
        "DoubleFloatPixelPaddingValue",
        "DoubleFloatRealWorldValueFirstValueMapped",
        "DoubleFloatRealWorldValueLastValueMapped",
        "FloatPixelPaddingRangeLimit",
        "FloatPixelPaddingValue",
        "FrameLaterality",
        "FrameVOILUTSequence",
        "GreenPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableDescriptor",
        "HighBit",
        "ImageLaterality",
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "ImagerPixelSpacing",
        "LUTData",
        "LUTDescriptor",
        "Laterality",
        "ModalityLUTSequence",
        "ModalityLUTType",
        "NominalScannedPixelSpacing",
        "NumberOfFrames",
        "PatientOrientation",
        "PerFrameFunctionalGroupsSequence",
        "PhotometricInterpretation",
        "PixelAspectRatio",
        "PixelIntensityRelationship",
        "PixelIntensityRelationshipSign",
        "PixelMeasuresSequence",
        "PixelPaddingRangeLimit",
        "PixelPaddingValue",
        "PixelRepresentation",
        "PixelSpacing",
        "PixelValueTransformationSequence",
        "PlanarConfiguration",
        "PlaneOrientationSequence",
        "PlanePositionSequence",
        "PresentationLUTShape",
        "RealWorldValueFirstValueMapped",
        "RealWorldValueIntercept",
        "RealWorldValueLUTData",
        "RealWorldValueLastValueMapped",
        "RealWorldValueMappingSequence",
        "RealWorldValueSlope",
        "RedPaletteColorLookupTableData",
        "RedPaletteColorLookupTableDescriptor",
        "RescaleIntercept",
        "RescaleSlope",
        "RescaleType",
        "Rows",
        "SamplesPerPixel",
        "SegmentedBluePaletteColorLookupTableData",
        "SegmentedGreenPaletteColorLookupTableData",
        "SegmentedRedPaletteColorLookupTableData",
        "SharedFunctionalGroupsSequence",
        "SliceThickness",
        "SpacingBetweenSlices",
        "Units",
        "VOILUTFunction",
        "VOILUTSequence",
        "WindowCenter",
        "WindowWidth",
    }
)
"""Keywords of them; whichever cannot stay as it is makes an object one that is refused."""
_UNITS: Final = frozenset({"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})
"""Defined terms of Rescale Type and Modality LUT Type (PS3.3, C.11.1.1.2)."""
_UNSPECIFIED: Final = "US"
_OF_UNITS: Final = frozenset({"RescaleType", "ModalityLUTType"})


def tidied(element: DataElement) -> DataElement:
    """Write an element that decides what pixels mean as the standard does: codes in capitals, without padding.

    Units that are not the standard's own terms become "unspecified": they are free text.
    """
    if element.VR == "CS":
        return _changed(element, [str(each).strip(" \0").upper() for each in several(element.value)])
    if element.keyword in _OF_UNITS and element.value:
        stated = str(element.value).strip(" \0").upper()
        return DataElement(element.tag, "LO", stated if stated in _UNITS else _UNSPECIFIED)
    return element


def _changed(element: DataElement, values: list[str]) -> DataElement:
    if values == [str(each) for each in several(element.value)]:
        return element
    return DataElement(element.tag, element.VR, values[0] if len(values) == 1 else values)
