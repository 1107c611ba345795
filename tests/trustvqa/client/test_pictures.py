"""Pictures of every kind: the very pixels arrive, and nothing else does."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from prompt4trust.errors import PictureError
from prompt4trust.pictures import FORMATS, PictureLimits, decode_picture
from prompt4trust.pictures.dicom import DicomChoice, DicomSource
from tests.prompt4trust.pictures.dicom.objects import bundled_file, ct, written
from tests.prompt4trust.pictures.files import tiff
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
    clear.putpixel((2, 1), (250, 10, 10, 255))
    seen = pixels(picture_file(clear))
    assert seen[1, 2].tolist() == [250, 10, 10]
    assert seen.sum() == 270


def test_an_image_that_was_misread_or_shows_nothing_is_refused() -> None:
    signed = (np.arange(256).reshape(16, 16) - 128).astype(np.int8)
    with Image.open(BytesIO(tiff(signed, 1, (339, 3, 1, 2)))) as opened, pytest.raises(UnusablePictureError) as error:
        picture_file(opened)
    assert "signed grey of 8 bits" in str(error.value)
    with pytest.raises(UnusablePictureError, match="transparent throughout"):
        picture_file(Image.new("RGBA", (20, 20), (255, 255, 255, 0)))


def test_a_dicom_file_goes_as_it_is(tmp_path: Path) -> None:
    data = written(ct(PatientName=PATIENT))
    path = tmp_path / f"{PATIENT}.dcm"
    path.write_bytes(data)
    for given in (path, data, BytesIO(data)):
        assert picture_file(given) == data
    bare = data[132:]  # as some archives store it: without a preamble
    assert picture_file(bare) == bare


def of_dicom(data: bytes, choice: DicomChoice) -> tuple[NDArray[Any], DicomSource]:
    """The pixels that a model sees of a DICOM object, and what is said of it."""
    seen = decode_picture(data, PictureLimits(min_side=1, takes_burned_in=True), choice=choice)
    assert seen.origin.dicom is not None
    return np.asarray(seen.pixels), seen.origin.dicom


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "examples_rgb_color.dcm",
        "examples_palette.dcm",
        "image_dfl.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "JPEG2000.dcm",
        "ExplVR_BigEnd.dcm",
    ],
)
def test_a_dataset_is_seen_as_its_file_is(name: str) -> None:
    data = bundled_file(name).read_bytes()
    dataset = pydicom.dcmread(BytesIO(data), force=True)
    before = (list(dataset.keys()), str(dataset.file_meta))
    sent = picture_file(dataset)
    assert (list(dataset.keys()), str(dataset.file_meta)) == before
    last = DicomChoice(frame=int(dataset.get("NumberOfFrames", 1)))
    (expected, of_file), (found, of_dataset) = of_dicom(data, last), of_dicom(sent, last)
    assert np.array_equal(found, expected)
    assert of_dataset == of_file


def test_of_a_dataset_nothing_of_its_patient_is_sent() -> None:
    dataset = ct(PatientName=PATIENT, InstitutionName=PATIENT, ImageComments=PATIENT)
    dataset.private_block(0x0011, PATIENT, create=True).add_new(1, "LO", PATIENT)
    assert PATIENT.encode() in written(dataset)
    assert PATIENT.encode() not in picture_file(dataset)


def test_a_dataset_made_in_memory_is_sent_with_its_statement_about_text() -> None:
    source = ct()
    made = Dataset()
    for name in ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored"):
        setattr(made, name, source[name].value)
    made.HighBit, made.PixelRepresentation, made.PixelData = (
        source.HighBit,
        source.PixelRepresentation,
        source.PixelData,
    )
    wary = PictureLimits(min_side=1, takes_burned_in=False)
    made.BurnedInAnnotation = "NO"
    seen = np.asarray(decode_picture(picture_file(made), wary).pixels)
    assert np.array_equal(seen, of_dicom(written(source), DicomChoice())[0])
    made.BurnedInAnnotation = "YES"
    with pytest.raises(PictureError) as refused:
        decode_picture(picture_file(made), wary)
    assert refused.value.fault == "burned-in-annotation"


def test_a_dataset_that_cannot_be_written_is_refused_without_its_words() -> None:
    broken = ct()
    broken["Rows"].VR = "LO"
    broken["Rows"]._value = {PATIENT: 1}  # what no writer takes
    with pytest.raises(UnusablePictureError, match="cannot be written") as refused:
        picture_file(broken)
    assert PATIENT not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a note of Doe^Jane", "neither a picture that is known nor DICOM"),
        (b"%PDF-1.7\n", "the file is a PDF document: give PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "the file is a HEIC picture: give PNG"),
        (b"\x08\0\x05\0", "nor DICOM"),
        (b"pixels" * 999, "nor DICOM"),
        ("https://example.org/knee.png", "not its address or data: URL: fetch or decode it"),
        ("data:image/png;base64,iVBORw0KGgo=", "not its address or data: URL"),
        ("C:\\knee.png", "cannot be read"),
    ],
)
def test_what_is_no_picture_stays_here(data: bytes | str, said: str) -> None:
    with pytest.raises(UnusablePictureError, match=said):
        picture_file(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_that_the_gateway_reads_goes_as_it_is(kind: str) -> None:
    file = BytesIO()
    Image.new("RGB", (30, 20)).save(file, kind)
    assert picture_file(file.getvalue()) == file.getvalue()
