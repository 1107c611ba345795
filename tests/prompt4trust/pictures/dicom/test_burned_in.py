"""Kinds of objects whose pixels may hold text, each as a file that is read for a model which must not see it."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import UID

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture
from prompt4trust.pictures.dicom.burned_in import may_hold_text
from tests.prompt4trust.pictures.dicom.objects import ct, written

# pydicom warns of codes that are none when they are set.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
STORAGE = "1.2.840.10008.5.1.4.1.1"
MODALITIES = (
    *["US", "IVUS", "BDUS", "BMD", "DD", "CD", "EC", "OPV", "ES", "HC", "OT", "SC", "DOC", "us", "ULTRASOUND"],
    "",
)
CLASSES = ("3", "3.1", "6", "6.1", "6.2", "7", "7.1", "7.2", "7.3", "7.4", "77.1.1", "77.1.4")
TYPES = (
    ["DERIVED", "SECONDARY", "SCREEN SAVE"],
    ["DERIVED", "SECONDARY"],
    ["ORIGINAL", "SECONDARY", "OTHER", "CT_SOM5 PROT"],
    ["ORIGINAL", "PRIMARY", "DOSE_INFO"],
    ["DERIVED", "PRIMARY", "OVERVIEW", "NONE"],
    ["derived", "secondary"],
)
HELD: list[dict[str, Any]] = [
    *({"Modality": each} for each in MODALITIES),
    *({"SOPClassUID": f"{STORAGE}.{each}"} for each in CLASSES),
    *({"ImageType": each} for each in TYPES),
    {"ConversionType": "WSD"},
    {"BurnedInAnnotation": "YES"},
]
WHATEVER_IS_SAID: list[dict[str, Any]] = [
    {"SpecimenLabelInImage": "YES"},
    {"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]},
]
FREE: list[dict[str, Any]] = [
    {},
    {"Modality": "MR"},
    {"SOPClassUID": f"{STORAGE}.30"},  # begins like ultrasound's, and is a parametric map's
    {"SOPClassUID": f"{STORAGE}.66.1"},
    {"ImageType": ["DERIVED", "PRIMARY", "REFORMATTED"]},
    {"SpecimenLabelInImage": "NO"},
    {"BurnedInAnnotation": "NO"},
]


def is_refused(fields: dict[str, Any]) -> bool:
    faults = []
    try:
        decode_picture(written(ct(**fields)), PictureLimits())
    except PictureError as error:
        faults.append(error.fault)
    assert faults in ([], ["burned-in-annotation"])
    return bool(faults)


@pytest.mark.parametrize("fields", HELD)
def test_what_often_holds_text_is_kept_back_unless_it_says_no(fields: dict[str, Any]) -> None:
    assert is_refused(fields)
    assert is_refused({"BurnedInAnnotation": "NO", **fields}) is ("BurnedInAnnotation" in fields)


@pytest.mark.parametrize("fields", WHATEVER_IS_SAID)
def test_labels_are_text_whatever_is_said(fields: dict[str, Any]) -> None:
    assert is_refused(fields)
    assert is_refused({"BurnedInAnnotation": "NO", **fields})


@pytest.mark.parametrize("fields", FREE)
def test_other_kinds_are_taken(fields: dict[str, Any]) -> None:
    assert not is_refused(fields)


@pytest.mark.parametrize("stated", [["NO", "YES"], ["YES", "NO"], ["NO", "NO"], ["NO", "?"], "", "NONE", "no\0"])
def test_statements_of_several_values_are_yes_or_none(stated: Any) -> None:
    assert is_refused({"Modality": "US", "BurnedInAnnotation": stated}) is (stated != "no\0")
    assert is_refused({"BurnedInAnnotation": stated}) is ("YES" in stated)


def test_a_class_may_stand_in_the_header_alone() -> None:
    dataset = ct(SOPClassUID=None)
    assert not may_hold_text(dataset)
    dataset.file_meta.MediaStorageSOPClassUID = UID(f"{STORAGE}.6.1")
    assert may_hold_text(dataset)
