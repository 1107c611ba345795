"""DICOM objects as pictures: which frame, which window, what is refused, and that nothing of a patient is told."""

from __future__ import annotations

import dataclasses
import sys
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import get_frame
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from prompt4trust.errors import PictureError
from prompt4trust.pictures import (
    DecodedPicture,
    DicomChoice,
    PictureLimits,
    begins_as_picture,
    decode_picture,
    prepare_picture,
    read_deep_grey,
)
from prompt4trust.pictures.dicom.bounds import check_codestream
from tests.prompt4trust.pictures.dicom.objects import (
    bundled,
    bundled_file,
    ct,
    named,
    with_padding,
    with_pixels,
    written,
)

LIMITS = PictureLimits(takes_burned_in=True)
RAMP = np.arange(32 * 32, dtype=np.int16).reshape(32, 32)


def decode(dataset: Dataset, **choice: Any) -> DecodedPicture:
    return decode_picture(written(dataset), LIMITS, choice=DicomChoice(**choice))


def pixels(picture: DecodedPicture) -> NDArray[np.uint8]:
    return np.asarray(picture.pixels)


def fault(data: bytes, limits: PictureLimits = LIMITS, **choice: Any) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode_picture(data, limits, choice=DicomChoice(**choice))
    return caught.value


def test_a_picture_says_where_it_is_from() -> None:
    picture = decode_picture(bundled_file("MR_small.dcm").read_bytes(), LIMITS)
    assert (picture.origin.format, picture.origin.size, picture.origin.window) == ("DICOM", (64, 64), (-200.0, 1399.0))
    source = picture.origin.dicom
    assert source is not None
    assert dataclasses.asdict(source) == {
        "study_uid": "1.3.6.1.4.1.5962.1.2.4.20040826185059.5457",
        "series_uid": "1.3.6.1.4.1.5962.1.3.4.1.20040826185059.5457",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.4",
        "sop_instance_uid": "1.3.6.1.4.1.5962.1.1.4.1.1.20040826185059.5457",
        "modality": "MR",
        "body_part": None,
        "frame": 1,
        "frames": 1,
        "window_center": 600.0,
        "window_width": 1600.0,
        "window_name": None,
        "window_from": "file",
        "has_overlays": False,
    }


@pytest.mark.parametrize("path", bundled(), ids=named)
def test_each_bundled_file_is_read_or_refused_for_a_reason(path: Any) -> None:
    data = path.read_bytes()
    try:
        picture = decode_picture(data, LIMITS)
    except PictureError as error:
        faults = {"damaged-image", "image-too-small", "not-a-picture", "unsupported-image"}
        assert error.fault in faults  # noqa: PT017 - not each is refused
        assert error.detail.endswith(".")  # noqa: PT017
    else:
        assert picture.origin.format == "DICOM"
        assert picture.pixels.mode in ("L", "RGB")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rtstruct.dcm", "RT Structure Set Storage"),
        ("rtplan.dcm", "RT Plan Storage"),
        ("test-SR.dcm", "Comprehensive SR Storage"),
        ("reportsi.dcm", "Basic Text SR Storage"),
        ("waveform_ecg.dcm", "12-lead ECG Waveform Storage"),
        ("dicomdirtests/DICOMDIR", "Media Storage Directory Storage"),
    ],
)
def test_what_is_no_image_is_refused_by_its_name(name: str, said: str) -> None:
    error = fault(bundled_file(name).read_bytes())
    assert error.fault == "not-a-picture"
    assert said in error.detail


def test_the_middle_frame_is_read_unless_another_is_asked_for() -> None:
    frames = np.stack([np.full((16, 16), shade, dtype=np.uint8) for shade in (10, 20, 30, 40)])
    dataset = with_pixels(frames)
    assert set(pixels(decode(dataset)).ravel()) == {20}
    assert set(pixels(decode(dataset, frame=4)).ravel()) == {40}
    found = decode(dataset, frame=4).origin.dicom
    assert found is not None
    assert (found.frame, found.frames) == (4, 4)
    assert fault(written(dataset), frame=5).fault == "unknown-frame"


def test_a_window_is_asked_for_by_name_or_by_numbers() -> None:
    dataset = with_pixels(
        RAMP, WindowCenter=["512", "100"], WindowWidth=["1024", "50"], WindowCenterWidthExplanation=["WIDE", "Narrow"]
    )
    wide, narrow = decode(dataset), decode(dataset, window="narrow")
    assert wide.origin.dicom is not None
    assert narrow.origin.dicom is not None
    assert (wide.origin.dicom.window_name, wide.origin.dicom.window_from) == ("WIDE", "file")
    assert (narrow.origin.dicom.window_name, narrow.origin.dicom.window_from) == ("Narrow", "request")
    assert narrow.origin.window == (75.0, 124.0)
    chosen = decode(dataset, window=(100.0, 50.0))
    assert chosen.origin.window == (75.0, 125.0)
    assert np.array_equal(pixels(chosen), np.rint(np.clip((RAMP - 75.0) / 50, 0, 1) * 255).astype(np.uint8))
    assert fault(written(dataset), window="liver").fault == "unknown-window"
    assert fault(written(with_pixels(RAMP)), window="liver").fault == "unknown-window"


def test_linear_exact_and_sigmoid_follow_the_standard() -> None:
    exact = decode(with_pixels(RAMP, WindowCenter="500", WindowWidth="100", VOILUTFunction="LINEAR_EXACT"))
    assert np.array_equal(pixels(exact), np.rint(np.clip((RAMP - 450.0) / 100, 0, 1) * 255))
    sigmoid = decode(with_pixels(RAMP, WindowCenter="500", WindowWidth="100", VOILUTFunction="SIGMOID"))
    assert np.array_equal(pixels(sigmoid), np.rint(255 / (1 + np.exp(-4 * (RAMP - 500.0) / 100))))


def test_a_window_of_a_frame_is_found_in_its_functional_group() -> None:
    frames = np.stack([RAMP, RAMP])
    dataset = with_pixels(frames, WindowCenter="0", WindowWidth="10")
    groups = []
    for center in (100, 700):
        voi, value, group = Dataset(), Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = str(center), "200"
        value.RescaleSlope, value.RescaleIntercept = "2", "0"
        group.FrameVOILUTSequence = Sequence([voi])
        group.PixelValueTransformationSequence = Sequence([value])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    assert decode(dataset, frame=1).origin.window == (0.0, 199.0)
    second = decode(dataset, frame=2)
    assert second.origin.window == (600.0, 799.0)
    assert np.array_equal(pixels(second), np.rint(np.clip((2.0 * RAMP - 600) / 199, 0, 1) * 255))


@pytest.mark.parametrize("is_implicit", [True, False])
def test_a_table_of_grey_is_read_where_no_header_tells_the_byte_order(is_implicit: bool) -> None:
    dataset, table = with_pixels(RAMP.astype(np.uint16), PixelRepresentation=0, VOILUTFunction=None), Dataset()
    steps = np.arange(4096, dtype="<u2")[::-1]
    table.add_new(0x00283002, "US", [len(steps), 0, 12])
    table.add_new(0x00283006, "OW", steps.tobytes())
    dataset.VOILUTSequence = Sequence([table])
    body = DicomBytesIO()
    body.is_little_endian, body.is_implicit_VR = True, is_implicit
    write_dataset(body, dataset)
    bare = decode_picture(body.getvalue(), LIMITS)
    assert bare.origin.dicom is not None
    assert bare.origin.dicom.window_from == "lut"
    assert np.array_equal(pixels(bare), np.rint((4095 - RAMP) / 4095 * 255))


def test_without_a_window_most_of_the_values_decide_and_padding_does_not() -> None:
    values = RAMP.copy()
    values[:, :16] = -2000
    padded = decode(with_padding(with_pixels(values), -2000))
    assert padded.origin.dicom is not None
    assert padded.origin.dicom.window_from == "values"
    assert padded.origin.window is not None
    assert padded.origin.window[0] >= 16
    assert not pixels(padded)[:, :16].any()
    inverted = decode(with_padding(with_pixels(values, PhotometricInterpretation="MONOCHROME1"), -2000))
    assert not pixels(inverted)[:, :16].any()
    assert pixels(inverted)[0, 16] > 250


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floating_point_pixels(kind: type[np.floating[Any]]) -> None:
    values = (RAMP / 7.0).astype(kind)
    values[0, 0] = np.nan
    dataset = with_pixels(values, WindowCenter="70", WindowWidth="50", VOILUTFunction="LINEAR_EXACT")
    expected = np.rint(np.clip((values.astype(float) - 45) / 50, 0, 1) * 255)
    expected[0, 0] = 0
    assert np.array_equal(pixels(decode(dataset)), expected)


def test_a_deflated_object_is_read_and_a_bomb_is_refused() -> None:
    dataset = with_pixels(RAMP)
    plain = pixels(decode(dataset))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = written(dataset)
    assert np.array_equal(pixels(decode_picture(data, LIMITS)), plain)
    start = data.index(b"\x02\0\0\0UL\x04\0")
    length = int.from_bytes(data[start + 8 : start + 12], "little")
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = data[: start + 12 + length] + packer.compress(bytes(300_000_000)) + packer.flush()
    assert len(bomb) < 400_000
    assert fault(bomb).fault == "image-too-large"


def test_bounds_hold_before_anything_is_decoded() -> None:
    dataset = ct()
    dataset.Rows = dataset.Columns = 60_000
    assert fault(written(dataset)).fault == "image-too-large"
    assert fault(written(ct(NumberOfFrames=1_000_000_000))).fault == "damaged-image"
    assert fault(written(ct(NumberOfFrames=500))).fault == "damaged-image"
    assert fault(written(with_pixels(RAMP)), PictureLimits(max_memory=1_000)).fault == "image-too-large"
    assert fault(written(with_pixels(np.zeros((4, 400), np.uint8)))).fault == "image-too-small"


def test_a_coded_frame_larger_than_it_states_is_refused() -> None:
    dataset = dcmread(bundled_file("examples_jpeg2k.dcm"))
    dataset.Rows //= 2
    assert fault(written(dataset)).fault == "damaged-image"
    dataset = dcmread(bundled_file("SC_rgb_jpeg_dcmtk.dcm"))
    dataset.Rows = dataset.Columns = 50
    assert fault(written(dataset)).fault == "damaged-image"


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"\xff\xd8\xff\xff\xff", "another size"),  # filling before a marker
        (b"\xff\xd8junk\xff", "another size"),  # which decoders overlook
        (b"\xff\xd8\xff\xda\x00\x02\xff", "does not state its size"),
    ],
)
def test_the_size_of_a_coded_frame_is_found_as_decoders_find_it(head: bytes, told: str) -> None:
    dataset = dcmread(bundled_file("SC_rgb_jpeg_dcmtk.dcm"))
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    check_codestream(frame, dataset.Rows, dataset.Columns)
    with pytest.raises(PictureError, match=told):
        check_codestream(head + frame[3:], dataset.Rows // 2, dataset.Columns)


def test_sequences_within_sequences_are_bounded() -> None:
    start = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    data = written(ct())
    at = data.index(b"\x08\0\x60\0CS")
    assert fault(data[:at] + start * 100_000 + data[at:]).fault == "image-too-complex"


@pytest.mark.parametrize(
    "changes",
    [
        {"RescaleSlope": "0"},
        {"PhotometricInterpretation": "HSV"},
        {"SamplesPerPixel": 4},
        {"BitsAllocated": 12},
        {"BitsStored": 40},
        {"PixelRepresentation": None},
        {"Rows": None},
    ],
)
def test_an_object_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    assert fault(written(ct(**changes))).fault in ("damaged-image", "unsupported-image")


def test_windows_that_make_no_sense_are_passed_over() -> None:
    for center, width in (("40", "0"), ("40", "-5"), ("1e30", "10")):
        picture = decode(ct(WindowCenter=center, WindowWidth=width))
        assert picture.origin.dicom is not None
        assert picture.origin.dicom.window_from == "values"


def test_text_in_the_pixels_is_refused_where_it_may_not_go() -> None:
    strict = PictureLimits()
    refused = [
        ct(BurnedInAnnotation="YES"),
        ct(Modality="US"),
        ct(Modality="OT"),
        ct(Modality=""),
        ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"),
        ct(ConversionType="WSD"),
    ]
    for dataset in refused:
        assert fault(written(dataset), strict).fault == "burned-in-annotation"
        assert decode(dataset).size == (128, 128)
    for dataset in (ct(), ct(Modality="US", BurnedInAnnotation="NO")):
        assert decode_picture(written(dataset), strict).size == (128, 128)


def test_files_are_known_by_their_beginning() -> None:
    data = written(ct())
    assert begins_as_picture(data)
    bare = data[132:]
    assert begins_as_picture(bare)
    assert np.array_equal(pixels(decode_picture(bare, LIMITS)), pixels(decode_picture(data, LIMITS)))
    # A preamble may be that of a TIFF (PS3.10, 7.1), and this one is; a PNG with DICM in its midst is a PNG.
    assert bundled_file("CT_small.dcm").read_bytes()[:2] == b"II"
    file = BytesIO()
    Image.new("L", (40, 40), 7).save(file, "PNG")
    png = bytearray(file.getvalue())
    at = png.index(b"IDAT") - 4
    note = bytearray(b"\0" * 4 + b"teXt" + b"x" * 200)
    note[:4] = (200).to_bytes(4)
    place = 128 - at
    note[place : place + 4] = b"DICM"
    png[at:at] = note + zlib.crc32(note[4:]).to_bytes(4)
    assert png[128:132] == b"DICM"
    assert decode_picture(bytes(png), LIMITS).origin.format == "PNG"


def test_a_declared_type_must_fit() -> None:
    data = written(ct())
    assert decode_picture(data, LIMITS, media_type="application/dicom", filename="a.dcm").origin.format == "DICOM"
    for media_type, filename in (("image/png", None), (None, "a.png")):
        with pytest.raises(PictureError) as caught:
            decode_picture(data, LIMITS, media_type=media_type, filename=filename)
        assert caught.value.fault == "image-type-mismatch"


def test_frames_and_windows_are_for_dicom_only() -> None:
    file = BytesIO()
    Image.new("L", (40, 40)).save(file, "PNG")
    assert fault(file.getvalue(), frame=1).fault == "unknown-frame"
    assert fault(file.getvalue(), window="lung").fault == "unknown-window"
    assert fault(bundled_file("examples_rgb_color.dcm").read_bytes(), window="lung").fault == "unknown-window"


def test_large_frames_are_scaled_down() -> None:
    picture = decode(with_pixels(np.zeros((1500, 900), np.uint16)))
    assert picture.size == (614, 1024)
    assert picture.origin.scale == pytest.approx(1024 / 1500, abs=1e-3)


def test_it_goes_on_as_pixels_and_nothing_else() -> None:
    dataset = ct(PatientName="Planted^Name", PatientID="PLANTED-4711", InstitutionName="Planted Hospital")
    dataset.private_block(0x0011, "MAKER", create=True).add_new(1, "LO", "Planted private")
    picture = prepare_picture(written(dataset))
    assert b"lanted" not in picture.file
    assert "lanted" not in repr(picture)
    assert "PLANTED" not in repr(picture)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_what_stands_in_the_place_of_a_uid_or_a_code_is_not_told() -> None:
    source = decode(ct(StudyInstanceUID="Planted^Name", Modality="Planted^Name")).origin.dicom
    assert source is not None
    assert (source.study_uid, source.modality) == ("", "")


def test_grey_for_a_viewer_is_in_the_units_of_the_object() -> None:
    data = written(ct(PixelPaddingValue=None))
    seen = decode_picture(data, LIMITS)
    grey = read_deep_grey(data, seen)
    assert grey is not None
    values = dcmread(BytesIO(data)).pixel_array.astype(float) - 1024
    assert (grey.low, grey.high) == (values.min(), values.max())
    shown = grey.low + grey.values / 65535 * (grey.high - grey.low)
    assert np.abs(shown - values).max() < 0.1
    assert read_deep_grey(b"", decode_picture(bundled_file("examples_rgb_color.dcm").read_bytes(), LIMITS)) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_bytes_do_harm(data: st.DataObject) -> None:
    source = bytearray(bundled_file(data.draw(st.sampled_from(["MR_small.dcm", "examples_palette.dcm", "JPEG2000.dcm", "rtdose_rle.dcm"]))).read_bytes())  # fmt: skip # noqa: E501
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(source), 4000) - 1))
        source[at] = data.draw(st.integers(0, 255))
    source = source[: data.draw(st.integers(len(source) // 2, len(source)))]
    try:
        decode_picture(bytes(source), LIMITS)
    except PictureError as error:
        assert error.detail  # noqa: PT017


def test_without_the_extra_a_dicom_object_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prompt4trust.pictures.dicom.reading", None)
    with pytest.raises(PictureError, match=r"install trustvqa\[dicom\]") as refused:
        decode_picture(written(ct()), LIMITS)
    assert refused.value.fault == "unsupported-image"
