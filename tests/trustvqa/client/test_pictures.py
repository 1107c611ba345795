"""Pictures of every kind: the very pixels arrive, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from prompt4trust.pictures import FORMATS, PictureLimits, decode_picture
from trustvqa.client import UnusablePictureError
from trustvqa.client.pictures import picture_file

GREY = np.arange(600, dtype=np.uint16).reshape(20, 30) * 7
PATIENT = "Doe^Jane"
FILE = b"\x89PNG\r\n\x1a\n and so on"


def pixels(file: bytes) -> NDArray[Any]:
    with Image.open(BytesIO(file)) as image:
        assert image.format == "PNG"
        assert image.info == {}
        return np.asarray(image)


def dicom(values: NDArray[Any], seen_as: str = "MONOCHROME2", **attributes: Any) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.SOPClassUID, made.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    made.PatientName, made.PatientID = PATIENT, "12345"
    made.ContentDate = datetime(2026, 1, 2, tzinfo=UTC).strftime("%Y%m%d")
    made.Rows, made.Columns = values.shape[:2]
    made.SamplesPerPixel = 3 if values.ndim == 3 else 1
    if values.ndim == 3:
        made.PlanarConfiguration = 0
    made.PhotometricInterpretation = seen_as
    depth = values.dtype.itemsize * 8
    made.BitsAllocated = made.BitsStored = depth
    made.HighBit, made.PixelRepresentation = depth - 1, int(values.dtype.kind == "i")
    made.PixelData = values.tobytes()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("values", [(GREY // 17).astype(np.uint8), GREY, GREY.astype(">u2"), GREY[::2, ::-1]])
def test_grey_arrays_keep_every_value(values: NDArray[Any]) -> None:
    assert np.array_equal(pixels(picture_file(values)), values)


def prepared(file: bytes) -> NDArray[Any]:
    """The pixels that a model sees of a file, by the gateway's own reader."""
    seen = decode_picture(file, PictureLimits()).pixels
    assert seen.mode == "L"
    return np.asarray(seen)


DEEP = {
    "int32": GREY.astype(np.int32) - 1024,
    "int16": GREY.astype(np.int16) - 1024,
    "float32": (GREY / GREY.max()).astype(np.float32),
    "uint16": GREY,
    "big-endian": GREY.astype(">u2"),
}


@pytest.mark.parametrize(
    ("kind", "white_is_zero"), [*((each, False) for each in DEEP), ("uint16", True), ("float32", True)]
)
def test_deep_grey_is_seen_alike_by_path_as_image_and_as_array(tmp_path: Path, kind: str, white_is_zero: bool) -> None:
    values = DEEP[kind]
    image = Image.fromarray(values.astype(np.int32) if kind == "int16" else values)
    path = tmp_path / "deep.tiff"
    tags: dict[int, Any] = {315: PATIENT, 274: 6, **({262: 0} if white_is_zero else {})}  # artist, orientation
    image.save(path, tiffinfo=tags)
    by_path = prepared(picture_file(path))
    assert len(np.unique(by_path)) > 200
    # Not by its path: Pillow garbles the pixels of an uncompressed TIFF that lies on its side where it maps the file.
    with Image.open(BytesIO(path.read_bytes())) as opened:
        sent = picture_file(opened)
    assert PATIENT.encode() not in sent
    assert np.array_equal(prepared(sent), by_path)
    as_array = np.rot90(prepared(picture_file(values)), -1)
    assert np.array_equal(255 - as_array if white_is_zero else as_array, by_path)
    assert np.array_equal(np.rot90(prepared(picture_file(image)), -1), as_array)


def test_colour_and_one_channel_arrays_do_too() -> None:
    colour = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(pixels(picture_file(colour)), colour)
    assert np.array_equal(pixels(picture_file(colour[:, :, :1])), colour[:, :, 0])


@pytest.mark.parametrize(
    "values",
    [np.zeros((20, 30)), np.zeros((20, 30), np.int64), np.zeros((20, 30, 4), np.uint8), np.zeros((0, 9), np.uint8)],
)
def test_an_array_of_another_kind_is_refused_with_what_to_give(values: NDArray[Any]) -> None:
    with pytest.raises(UnusablePictureError, match="height × width of uint8"):
        picture_file(values)


def test_files_and_bytes_go_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / f"{PATIENT}.png"
    path.write_bytes(FILE)
    with path.open("rb") as stream:
        for given in (path, str(path), FILE, bytearray(FILE), memoryview(FILE), stream):
            assert picture_file(given) == FILE
    with path.open() as text, pytest.raises(UnusablePictureError, match="'rb'"):
        picture_file(text)
    for wrong in (tmp_path / "absent.png", tmp_path, b"", 7, None):
        with pytest.raises(UnusablePictureError):
            picture_file(wrong)


def test_images_are_turned_upright_and_lose_what_is_written_beside_the_pixels() -> None:
    image = Image.fromarray((GREY // 17).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, PATIENT  # orientation, artist
    file = BytesIO()
    image.save(file, "PNG", exif=exif)
    sent = picture_file(Image.open(file))
    assert PATIENT.encode() not in sent
    assert np.array_equal(pixels(sent), np.rot90((GREY // 17).astype(np.uint8), -1))


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "LA", "CMYK", "I;16", "L", "RGB", "PA"])
def test_images_of_every_mode_are_taken(mode: str) -> None:
    source = Image.fromarray(GREY) if mode == "I;16" else Image.new("RGB", (30, 20), (200, 200, 200)).convert(mode)
    assert picture_file(source)[1:4] == b"PNG"


def test_transparent_pixels_are_black() -> None:
    clear = Image.new("RGBA", (3, 2), (250, 10, 10, 0))
    assert not pixels(picture_file(clear)).any()


def test_a_ct_slice_is_rescaled_and_windowed_as_its_object_says() -> None:
    hounsfield = np.array([[-2000, -160, 40, 240, 3000]], dtype=np.int16).repeat(3, axis=0)
    sliced = dicom(hounsfield + 1024, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)
    # DICOM PS3.3 C.11.2.1.2: ((x - (c - 0.5)) / (w - 1) + 0.5) of the range.
    expected = np.clip((hounsfield - 39.5) / 399 + 0.5, 0, 1) * 255
    assert np.abs(pixels(picture_file(sliced)).astype(float) - expected).max() <= 0.5
    sliced.WindowCenter, sliced.WindowWidth = [40, 300], [400, 1500]  # several: the first counts
    assert np.abs(pixels(picture_file(sliced)).astype(float) - expected).max() <= 0.5


def test_bright_is_white_whatever_the_object_calls_it() -> None:
    turned = dicom((GREY // 17).astype(np.uint8), "MONOCHROME1", WindowCenter=128, WindowWidth=256)
    plain = dicom((GREY // 17).astype(np.uint8), WindowCenter=128, WindowWidth=256)
    assert np.array_equal(pixels(picture_file(turned)), 255 - pixels(picture_file(plain)))


def test_an_object_without_a_window_keeps_its_depth() -> None:
    assert np.array_equal(pixels(picture_file(dicom(GREY))), GREY)
    signed = dicom(GREY.astype(np.int16) - 1000, RescaleSlope=1, RescaleIntercept=5)
    assert np.array_equal(pixels(picture_file(signed)), GREY)
    halves = dicom(GREY, RescaleSlope=0.3, RescaleIntercept=0)
    found = pixels(picture_file(halves)).astype(float)
    assert np.abs(found - GREY / GREY.max() * 255).max() <= 0.5


def test_a_voi_lut_goes_before_a_window() -> None:
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 8], [255 - value for value in range(256)]
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    looked_up = dicom(values, WindowCenter=10, WindowWidth=5)
    looked_up.VOILUTSequence = [table]
    assert np.array_equal(pixels(picture_file(looked_up)), 255 - values)


def test_colour_objects_are_taken() -> None:
    colour = np.random.default_rng(2).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(pixels(picture_file(dicom(colour, "RGB"))), colour)


def test_a_dicom_file_is_read_and_its_attributes_stay_here(tmp_path: Path) -> None:
    path = tmp_path / "slice"
    dicom(GREY).save_as(path, enforce_file_format=True)
    assert PATIENT.encode() in path.read_bytes()
    for given in (path, path.read_bytes(), pydicom.dcmread(path)):
        sent = picture_file(given)
        assert PATIENT.encode() not in sent
        assert np.array_equal(pixels(sent), GREY)
    with pytest.raises(UnusablePictureError, match="DICOM"):
        picture_file(path.read_bytes()[:300])


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("has_meta", [False, True])
def test_a_data_set_without_a_preamble_is_read_too(syntax: UID, has_meta: bool) -> None:
    file = BytesIO()
    made = dicom(GREY.astype(">u2") if syntax == ExplicitVRBigEndian else GREY)
    made.file_meta.TransferSyntaxUID = syntax
    if has_meta:
        pydicom.dcmwrite(file, made, enforce_file_format=False)
    else:
        del made.file_meta
        is_implicit, is_little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        made.save_as(file, implicit_vr=is_implicit, little_endian=is_little)
    data = file.getvalue()
    assert data[128:132] != b"DICM"
    assert PATIENT.encode() in data
    sent = picture_file(data)
    assert PATIENT.encode() not in sent
    assert np.array_equal(pixels(sent), GREY)


@pytest.mark.parametrize("data", [b"a note of Doe^Jane", b"%PDF-1.7\n", b"\x08\0\x05\0", b"pixels" * 999])
def test_what_is_no_picture_stays_here(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnusablePictureError, match="picture"):
        picture_file(data)
    monkeypatch.setattr("trustvqa.client.pictures.find_spec", lambda _: None)
    with pytest.raises(UnusablePictureError, match="pydicom"):
        picture_file(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_that_the_gateway_reads_goes_as_it_is(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trustvqa.client.pictures.find_spec", lambda _: None)
    file = BytesIO()
    Image.new("RGB", (30, 20)).save(file, kind)
    assert picture_file(file.getvalue()) == file.getvalue()


def test_what_is_no_single_frame_is_refused() -> None:
    with pytest.raises(UnusablePictureError, match="no pixels"):
        picture_file(Dataset())
    with pytest.raises(UnusablePictureError, match="several frames"):
        picture_file(dicom(GREY, NumberOfFrames=2))
    with pytest.raises(UnusablePictureError, match="cannot be read"):
        picture_file(dicom(GREY, Rows=400))


def test_without_pydicom_a_dicom_file_is_refused_with_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trustvqa.client.pictures.find_spec", lambda _: None)
    with pytest.raises(UnusablePictureError, match="pydicom"):
        picture_file(b"\0" * 128 + b"DICM" + b"\0" * 99)
