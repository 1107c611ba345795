"""Planted values, in every representation and at every depth of an object, are in nothing that is made of it."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import keyword_for_tag
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from prompt4trust.deidentification import DeidentificationError, Deidentifier
from prompt4trust.deidentification.profile_actions import ProfileAction, profile_actions
from prompt4trust.deidentification.values import replaced_uid
from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture
from tests.prompt4trust.pictures.dicom.objects import bundled, ct, named, with_pixels, written

KEY = b"0123456789abcdef0123456789abcdef"
MARK = "PLANTEDQX"
UID = "1.2.826.0.1.4711.8844.99"
DATE, NUMBER = "19010203", 47_114_711
SOUGHT = (MARK.encode(), UID.encode(), DATE.encode(), str(NUMBER).encode(), NUMBER.to_bytes(4, "little"))
DEIDENTIFIER = Deidentifier(KEY)

WORD = MARK.encode() + b"0"
PLANTED: dict[str, Any] = {
    **dict.fromkeys(("AE", "CS", "LO", "SH", "UC", "LT", "ST", "UT"), MARK),
    **dict.fromkeys(("UN", "OB", "OW"), WORD),
    **dict.fromkeys(("OF", "OL"), WORD + b"00"),
    **dict.fromkeys(("OD", "OV"), WORD + b"000000"),
    **dict.fromkeys(("UL", "SL", "UV", "SV"), NUMBER),
    **dict.fromkeys(("US", "SS"), 4711),
    **dict.fromkeys(("FL", "FD"), 4711.0),
    **dict.fromkeys(("DS", "IS"), str(NUMBER)),
    "AS": "077Y",
    "AT": 0x47114711,
    "DA": DATE,
    "DT": DATE + "1314",
    "PN": f"{MARK}^Name",
    "TM": "131415.4711",
    "UI": UID,
    "UR": f"http://{MARK}.example",
}
FREE = frozenset(("LO", "SH", "LT", "ST", "UT", "UC", "UR", "PN", "AE", "UI", "UN", "DA", "DT", "TM", "AS", "OB", "OW"))
OF_PICTURES = frozenset({0x0008, 0x0028, 0x7FE0})
"""Groups whose numbers and codes describe pixels and classes; texts and identifiers are planted there all the same."""


def planted(vrs: frozenset[str] = frozenset(PLANTED)) -> Dataset:
    """An item with a value in every attribute of the dictionary that the profile names, or that is free text."""
    item = Dataset()
    for tag, (vr, *_) in DicomDictionary.items():
        if tag >> 16 in (0x0000, 0x0002, 0x0004, 0xFFFE, 0x7FE0) or vr not in vrs or not keyword_for_tag(tag):
            continue
        is_named = profile_actions().get(tag) is not None
        is_free = vr in (
            "LO",
            "SH",
            "LT",
            "ST",
            "UT",
            "UC",
            "UR",
            "PN",
            "AE",
            "UI",
            "UN",
            "DA",
            "DT",
            "TM",
            "AS",
            "OB",
            "OW",
        )
        is_kept = keyword_for_tag(tag) in ("ConvolutionKernel", "Manufacturer", "ManufacturerModelName")
        is_kept |= keyword_for_tag(tag).endswith("LookupTableData") or keyword_for_tag(tag) == "LUTData"
        if (is_named or is_free) and not is_kept and keyword_for_tag(tag) != "SOPClassUID":
            item.add_new(tag, vr, PLANTED[vr])
    return item


def whole() -> bytes:
    """A CT slice with all of that: in itself, in sequences, private elements, overlays, the preamble and behind it."""
    dataset = ct()
    describing = {
        element.tag: element for element in dataset if element.tag.group in OF_PICTURES and element.VR != "UI"
    }
    for element in planted():
        if element.tag not in describing or element.tag in profile_actions():
            dataset.add(element)
    dataset.Modality = "CT"
    for name in ("BurnedInAnnotation", "ConversionType"):
        if name in dataset:
            del dataset[name]
    deep = planted()
    deep.ReferencedImageSequence = Sequence([planted()])
    places = ("RequestAttributes", "ReferencedStudy", "DerivationCode", "GraphicAnnotation")
    for name in (f"{each}Sequence" for each in places):
        setattr(dataset, name, Sequence([deep]))
    dataset.private_block(0x0011, f"{MARK} MAKER", create=True).add_new(1, "LO", MARK)
    dataset.add_new(0x60000022, "LO", MARK)
    dataset.add_new(0x60003000, "OW", MARK.encode() + b"0")
    dataset.add_new(0x50002500, "LO", MARK)
    dataset.add_new(0x00080003, "UN", MARK.encode() + b"0")  # no attribute of the standard
    dataset.add_new(0xFFFCFFFC, "OB", MARK.encode() + b"0")
    file = written(dataset)
    return MARK.encode().ljust(128, b"\0") + file[128:]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_planted_is_found_nowhere() -> None:
    data = whole()
    assert data.count(MARK.encode()) > 1_000
    made = DEIDENTIFIER.file(data)
    found = [made[max(0, made.index(each) - 40) :][:90] for each in SOUGHT if each in made]
    assert found == []
    seen = decode_picture(made, PictureLimits())
    assert np.array_equal(np.asarray(seen.pixels), np.asarray(decode_picture(written(ct()), PictureLimits()).pixels))
    dataset = dcmread(BytesIO(made))
    assert not any(each.tag.is_private for each in dataset.iterall())
    assert dataset.PatientName == ""
    assert dataset.preamble == bytes(128)


DUMMIED = sorted(
    keyword_for_tag(tag)
    for tag, action in profile_actions().items()
    if action is ProfileAction.DUMMY and DicomDictionary.get(tag, ("",))[0] == "SQ"
)


@pytest.mark.parametrize("keyword", DUMMIED)
def test_nothing_stays_at_any_depth_of_a_sequence_that_is_replaced(keyword: str) -> None:
    """Values that stay elsewhere: codes of a published vocabulary, numbers and code strings."""
    deepest = code("DCM", "121401", MARK)
    deepest.GraphicData, deepest.RescaleSlope = [4711.0, 4711.0], str(NUMBER)
    deepest.ImageType, deepest.ReferencedFrameNumber = MARK, NUMBER
    deepest.add_new(0x00280010, "UL", NUMBER)
    for depth in range(2, 5):
        inner = deepest
        for _ in range(depth - 1):
            item = Dataset()
            item.ConceptCodeSequence = Sequence([inner])
            inner = item
        file = written(ct(**{keyword: Sequence([inner])}))
        assert MARK.encode() in file
        made = DEIDENTIFIER.file(file)
        assert [each for each in (*SOUGHT, np.float32(4711).tobytes()) if each in made] == []


def test_graphics_are_gone_as_is_claimed() -> None:
    graphic, text, layer = Dataset(), Dataset(), Dataset()
    graphic.GraphicData, text.UnformattedTextValue = [4711.0, 4711.0], MARK
    layer.GraphicObjectSequence, layer.TextObjectSequence = Sequence([graphic]), Sequence([text])
    around = Dataset()
    around.GraphicAnnotationSequence = Sequence([layer])
    made = dcmread(
        BytesIO(
            DEIDENTIFIER.file(
                written(ct(GraphicAnnotationSequence=Sequence([layer]), DerivationCodeSequence=Sequence([around])))
            )
        )
    )
    assert not [each for each in made.iterall() if "Graphic" in each.keyword or "Text" in each.keyword]


def code(scheme: str, value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def test_texts_of_codes_stay_in_codes_of_published_vocabularies_alone() -> None:
    codes = [code("SCT", "39607008", "Lung"), code("99MARK", "X1", MARK), code("SCT", f"{MARK} X", MARK)]
    bare = Dataset()
    bare.CodeMeaning = MARK
    entry = ct(AnatomicRegionSequence=Sequence([*codes, bare]), CodeMeaning=MARK, CodeValue=MARK)
    entry.CodingSchemeDesignator = "SCT"
    data = DEIDENTIFIER.file(written(entry))
    made = dcmread(BytesIO(data))
    assert MARK.encode() not in data
    assert not {"CodeMeaning", "CodeValue", "CodingSchemeDesignator"} & set(made.dir())
    assert [each.CodeMeaning for each in made.AnatomicRegionSequence] == ["Lung", *["REMOVED"] * 3]
    assert [each.get("CodeValue") for each in made.AnatomicRegionSequence] == ["39607008", "REMOVED", "REMOVED", None]


@pytest.mark.parametrize(
    ("fields", "before", "after"),
    [
        ({"RescaleSlope": "12345.67"}, b"12345.67", b"12345,67"),
        ({"RescaleIntercept": "12345.67"}, b"12345.67", b"unknown "),
        ({"PixelSpacing": ["11111.11", "22222.22"]}, b"11111.11", b"11111.1x"),
        ({"WindowWidth": "12345.67"}, b"12345.67", b"12345.67"[:-1] + b"?"),
        ({"ImageLaterality": "LL"}, b"LL", b"L?"),
        ({}, b"MONOCHROME2 ", b"MONO-CHROME1"),
        ({}, b"\x28\0\x03\x01US", b"\x28\0\x03\x01SH"),
        ({"NumberOfFrames": "11"}, b"11", b"1x"),
    ],
)
def test_what_decides_on_the_meaning_of_pixels_is_not_left_out(
    fields: dict[str, Any], before: bytes, after: bytes
) -> None:
    plain = ct(**fields)
    plain.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = written(plain)
    head, found, rest = file.partition(b"\x28\0\x02\0" if not fields or "Num" in str(fields) else b"DICM")
    assert found
    assert before in rest
    with pytest.raises(DeidentificationError):
        DEIDENTIFIER.file(head + found + rest.replace(before, after, 1))


def test_nor_in_the_groups_of_frames() -> None:
    values, group = Dataset(), Dataset()
    values.RescaleSlope, values.RescaleIntercept = "12345.67", "0"
    group.PixelValueTransformationSequence = Sequence([values])
    file = written(ct(SharedFunctionalGroupsSequence=Sequence([group])))
    kept = dcmread(BytesIO(DEIDENTIFIER.file(file))).SharedFunctionalGroupsSequence[0]
    assert kept.PixelValueTransformationSequence[0].RescaleSlope == 12345.67
    with pytest.raises(DeidentificationError, match="pixels mean"):
        DEIDENTIFIER.file(file.replace(b"12345.67", b"12345,67"))


@pytest.mark.parametrize(("stated", "kept"), [("HU", "HU"), ("hu ", "HU"), (MARK, "US")])
def test_units_are_the_standards_or_unspecified(stated: str, kept: str) -> None:
    assert dcmread(BytesIO(DEIDENTIFIER.file(written(ct(RescaleType=stated))))).RescaleType == kept


@pytest.mark.parametrize("padding", [b"monochrome2 ", b"MONOCHROME2\0"])
def test_codes_are_written_as_the_standard_does(padding: bytes) -> None:
    file = written(ct()).replace(b"MONOCHROME2 ", padding, 1)
    made = dcmread(BytesIO(DEIDENTIFIER.file(file)))
    assert made.PhotometricInterpretation == "MONOCHROME2"
    assert made.pixel_array.tolist() == ct().pixel_array.tolist()


def test_it_says_what_was_done() -> None:
    dataset = dcmread(BytesIO(DEIDENTIFIER.file(written(ct()))))
    assert dataset.PatientIdentityRemoved == "YES"
    codes = [(each.CodeValue, each.CodingSchemeDesignator) for each in dataset.DeidentificationMethodCodeSequence]
    assert codes == [("113100", "DCM"), ("113103", "DCM")]
    assert dataset.LongitudinalTemporalInformationModified == "REMOVED"


def test_patients_stay_apart_without_being_known() -> None:
    def patient(name: str, by: Deidentifier = DEIDENTIFIER) -> str:
        return str(dcmread(BytesIO(by.file(written(ct(PatientID=name))))).PatientID)

    found = {patient("4711"), patient("4712"), patient("4711", Deidentifier(b"another key 0123"))}
    assert len(found) == 3
    assert patient("4711") in found
    assert patient("") == ""


def test_identifiers_are_replaced_alike_and_only_with_the_key() -> None:
    first, second = ct(SOPInstanceUID="1.2.3.1"), ct(SOPInstanceUID="1.2.3.2")
    one, two = (dcmread(BytesIO(DEIDENTIFIER.file(written(each)))) for each in (first, second))
    other = dcmread(BytesIO(Deidentifier(b"another key 0123").file(written(first))))
    assert one.StudyInstanceUID == two.StudyInstanceUID == replaced_uid(first.StudyInstanceUID, KEY)
    assert len({one.SOPInstanceUID, two.SOPInstanceUID, other.SOPInstanceUID, "1.2.3.1", "1.2.3.2"}) == 5
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert one.SOPClassUID == first.SOPClassUID


@given(st.text(alphabet="0123456789.", min_size=1, max_size=64))
def test_a_replaced_identifier_is_one(uid: str) -> None:
    found = replaced_uid(uid, KEY)
    assert len(found) <= 64
    assert found == uid or re.fullmatch(r"2\.25\.[1-9][0-9]*", found)
    assert found == replaced_uid(uid, KEY)
    # Those of the standard are not of an instance.
    assert found != uid or uid.startswith("1.2.840.10008.")


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"BurnedInAnnotation": "YES"}, "text"), ({"Modality": "US"}, "text"), ({"SOPInstanceUID": None}, "identifier")],
)
def test_what_cannot_be_made_safe_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(DeidentificationError, match=said):
        DEIDENTIFIER.file(written(ct(**fields)))


def test_text_in_the_pixels_stays_where_that_is_asked_for() -> None:
    made = Deidentifier(KEY, takes_burned_in=True).file(written(ct(BurnedInAnnotation="YES")))
    assert dcmread(BytesIO(made)).BurnedInAnnotation == "YES"


def test_unused_bits_of_pixels_are_emptied() -> None:
    values = np.full((32, 32), 0x0ABC, np.uint16)
    plain = with_pixels(values, BitsStored=12, HighBit=11, PixelRepresentation=0)
    plain.PixelData = (values | 0xF000).tobytes()
    made = dcmread(BytesIO(DEIDENTIFIER.file(written(plain))))
    assert made.PixelData == values.tobytes()
    signed = np.full((32, 32), -5, np.int16)
    kept = with_pixels(signed, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert dcmread(BytesIO(DEIDENTIFIER.file(written(kept)))).pixel_array.tolist() == signed.tolist()


def test_comments_within_coded_frames_and_bytes_behind_the_last_are_gone() -> None:
    native = ct()
    native.PixelData += MARK.encode() + b"0"
    assert MARK.encode() not in DEIDENTIFIER.file(written(native))
    coded = BytesIO()
    Image.fromarray(np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)).save(coded, "JPEG", comment=MARK.encode())
    jpeg = with_pixels(np.zeros((32, 32), np.uint8), BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0)
    jpeg.PixelData = encapsulate([coded.getvalue()])
    jpeg["PixelData"].VR, jpeg["PixelData"].is_undefined_length = "OB", True
    jpeg.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    file = written(jpeg)
    assert MARK.encode() in file
    made = DEIDENTIFIER.file(file)
    assert MARK.encode() not in made
    assert dcmread(BytesIO(made)).pixel_array.tolist() == dcmread(BytesIO(file)).pixel_array.tolist()


# Of the directory's 81 slices, which differ in nothing that matters here, a few.
FILES = [path for path in bundled() if "dicomdirtests" not in path.parts] + [
    path for path in bundled() if "dicomdirtests" in path.parts
][::30]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_each_file_is_made_anew_or_refused(path: Path) -> None:
    """A new object shows the same picture; whatever is not made anew is refused in words."""
    data, limits = path.read_bytes(), PictureLimits(min_side=1, takes_burned_in=True)
    try:
        made = Deidentifier(KEY, takes_burned_in=True).file(data)
    except DeidentificationError:
        return
    after = decode_picture(made, limits)
    try:
        before = decode_picture(data, limits)
    except PictureError:
        return  # a file that is read here, and that the gateway is stricter with
    apart = np.asarray(before.pixels, int) - np.asarray(after.pixels, int)
    # The names of windows are texts, and go; their numbers stay.
    assert np.abs(apart).max(initial=0) <= 1


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(st.integers(0, 5_000), st.binary(min_size=1, max_size=8))
def test_damaged_files_are_refused_in_words(place: int, junk: bytes) -> None:
    data = bytearray(written(ct()))
    data[place : place + len(junk)] = junk
    said = ""
    try:
        DEIDENTIFIER.file(bytes(data))
    except DeidentificationError as error:
        said = str(error)
    assert len(junk) < 4 or junk.decode("latin-1") not in said


def test_the_table_is_the_standards() -> None:
    known = profile_actions()
    assert len(known) > 600
    for name, action in {
        0x00100010: ProfileAction.EMPTY,
        0x00080050: ProfileAction.EMPTY,
        0x00080018: ProfileAction.UID,
        0x00101010: ProfileAction.REMOVE,
        0x00204000: ProfileAction.REMOVE,
        0x00400275: ProfileAction.REMOVE,
        0x00181030: ProfileAction.DUMMY,
    }.items():
        assert known[name] is action, hex(name)


def test_short_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Deidentifier(b"123456789012345")
