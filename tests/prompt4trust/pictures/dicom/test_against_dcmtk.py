"""The pixels that models see of a DICOM object, compared with dcmtk's rendering: an implementation of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.sequence import Sequence

from prompt4trust.errors import PictureError
from prompt4trust.pictures import DicomChoice, PictureLimits
from prompt4trust.pictures.dicom.reading import DicomPicture, read_dicom
from tests.prompt4trust.pictures.dicom.objects import (
    bundled,
    bundled_file,
    ct,
    named,
    needs_dcmtk,
    shown_by_dcmtk,
    with_pixels,
    written,
)

pytestmark = needs_dcmtk

ANY_SIZE = PictureLimits(min_side=1, takes_burned_in=True)
FIRST = DicomChoice(frame=1)
# What one of the two reads and the other does not. dcmtk's JPEG reader forgives a scan header that breaks the standard,
# and it reads text for a number as none; JPEG 2000 it does not read.
ONLY_DCMTK = {"JPEG-lossy.dcm", "badVR.dcm"}
ONLY_HERE = {
    "693_J2KI.dcm",
    "GDCMJ2K_TextGBR.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPEG2000.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "examples_jpeg2k.dcm",
}
# Rendered in another way by dcmtk, and looked at below: one bit becomes half white there, and of 32 bits in big endian
# it takes the halves for each other.
OTHERWISE = {"liver_1frame.dcm", "liver_expb_1frame.dcm", "rtdose_expb.dcm", "rtdose_expb_1frame.dcm"}


def read(data: bytes, choice: DicomChoice = FIRST) -> DicomPicture:
    return read_dicom(data, ANY_SIZE, choice)


def seen(picture: DicomPicture) -> NDArray[np.int_]:
    return np.asarray(picture.image.convert("RGB")).astype(int)


def window_for_dcmtk(picture: DicomPicture) -> list[str]:
    match picture.source.window_from:
        case "file":
            return ["+Wi", "1"]
        case "lut":
            return ["+Wl", "1"]
        case "values" | "request":
            assert picture.window is not None
            low, high = picture.window
            # LINEAR of the standard has its ends half a step within.
            return ["+Ww", str((low + high + 1) / 2), str(high - low + 1)]
        case "none":
            return ["-W"]


def is_lossy(path: Path) -> bool:
    return any(word in path.name for word in ("jpeg", "JPG", "ybr", "+cy"))


@pytest.mark.parametrize("path", bundled(), ids=named)
def test_a_bundled_file_is_what_dcmtk_shows_or_is_refused(path: Path, tmp_path: Path) -> None:
    try:
        picture = read(path.read_bytes())
    except PictureError:
        picture = None
    window = [] if picture is None else window_for_dcmtk(picture)
    reference = shown_by_dcmtk(path, tmp_path, *window)
    if picture is None or reference is None:
        assert (reference is not None) == (path.name in ONLY_DCMTK)
        assert (picture is not None) == (path.name in ONLY_HERE)
        return
    if path.name in OTHERWISE:
        return
    difference = np.abs(seen(picture) - reference)
    # Of lossy coding the two have decoders and colour conversions that round in ways of their own.
    assert difference.max() <= (3 if is_lossy(path) else 1)
    assert difference.mean() < 1


def test_ninety_files_were_compared(tmp_path: Path) -> None:
    readable = 0
    for path in bundled():
        try:
            read(path.read_bytes())
        except PictureError:
            continue
        readable += path.name not in ONLY_HERE | OTHERWISE
    assert readable >= 85


def test_what_dcmtk_shows_otherwise() -> None:
    mask = seen(read(bundled_file("liver_1frame.dcm").read_bytes()))
    assert set(np.unique(mask)) == {0, 255}
    for little, big in (("rtdose.dcm", "rtdose_expb.dcm"), ("rtdose_1frame.dcm", "rtdose_expb_1frame.dcm")):
        assert np.array_equal(seen(read(bundled_file(little).read_bytes())), seen(read(bundled_file(big).read_bytes())))


RAMP = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


def table(first: int, values: NDArray[np.uint16], bits: int = 16, **attributes: Any) -> Sequence:
    from pydicom import Dataset

    item = Dataset()
    item.add_new(0x00283002, "US", [len(values), first, bits])
    item.add_new(0x00283006, "OW", values.astype("<u2").tobytes())
    for name, value in attributes.items():
        setattr(item, name, value)
    return Sequence([item])


CURVE = (np.sqrt(np.arange(4096) / 4095) * 65535).astype(np.uint16)
MADE = {
    "linear": (ct(WindowCenter="40", WindowWidth="400"), []),
    "sigmoid": (ct(WindowCenter="40", WindowWidth="400", VOILUTFunction="SIGMOID"), ["+Wfs"]),
    "monochrome1": (ct(WindowCenter="40", WindowWidth="400", PhotometricInterpretation="MONOCHROME1"), []),
    "second of two": (ct(WindowCenter=["40", "-600"], WindowWidth=["400", "1500"]), []),
    "voi lut": (with_pixels(RAMP, VOILUTSequence=table(0, CURVE)), []),
    "voi lut from 1000": (with_pixels(RAMP, VOILUTSequence=table(1000, CURVE[:2000])), []),
    "modality lut": (
        with_pixels(
            RAMP,
            RescaleSlope=None,
            RescaleIntercept=None,
            ModalityLUTSequence=table(0, CURVE, ModalityLUTType="US"),
            WindowCenter="30000",
            WindowWidth="40000",
        ),
        [],
    ),
    "slope": (
        with_pixels(RAMP, RescaleSlope="0.5", RescaleIntercept="-100", WindowCenter="500", WindowWidth="900"),
        [],
    ),
    "negative slope": (
        with_pixels(RAMP, RescaleSlope="-1", RescaleIntercept="0", WindowCenter="-900", WindowWidth="900"),
        [],
    ),
    "signed 8 bit": (with_pixels((RAMP % 256).astype(np.uint8).view(np.int8)), []),
    "signed 32 bit": (
        with_pixels(RAMP.astype(np.int32) * 1000 - 5000, WindowCenter="1000000", WindowWidth="2000000"),
        [],
    ),
    "12 bits": (with_pixels(RAMP, BitsStored=12, HighBit=11), []),
    "overlay in the upper bits": (
        with_pixels(RAMP | 0xF000, BitsStored=12, HighBit=11, WindowCenter="2048", WindowWidth="4096"),
        [],
    ),
    "high bit 15": (with_pixels(RAMP << 4, BitsStored=12, HighBit=15, WindowCenter="2048", WindowWidth="4096"), []),
    "10 of 16 bits signed": (
        with_pixels((RAMP % 1024).astype(np.int16), BitsStored=10, HighBit=9, WindowCenter="0", WindowWidth="1024"),
        [],
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_an_object_of_each_kind_is_what_dcmtk_shows(name: str, tmp_path: Path) -> None:
    dataset, options = MADE[name]
    path = tmp_path / "made.dcm"
    path.write_bytes(written(dataset))
    picture = read(path.read_bytes())
    reference = shown_by_dcmtk(path, tmp_path, *options, *window_for_dcmtk(picture))
    assert reference is not None
    assert np.abs(seen(picture) - reference).max() <= 1


def test_a_frame_is_the_one_that_dcmtk_shows(tmp_path: Path) -> None:
    path = bundled_file("rtdose_rle.dcm")
    frames = []
    for frame in (1, 8, 15):
        picture = read(path.read_bytes(), DicomChoice(frame=frame))
        reference = shown_by_dcmtk(path, tmp_path, *window_for_dcmtk(picture), frame=frame)
        assert reference is not None
        assert np.abs(seen(picture) - reference).max() <= 1
        frames.append(seen(picture))
    assert not np.array_equal(frames[0], frames[1])


def test_a_window_of_the_request_is_what_dcmtk_shows(tmp_path: Path) -> None:
    path = bundled_file("CT_small.dcm")
    picture = read(path.read_bytes(), DicomChoice(window=(40.5, 399)))
    reference = shown_by_dcmtk(path, tmp_path, "+Ww", "41", "400")
    assert reference is not None
    assert np.abs(seen(picture) - reference).max() <= 1
    assert picture.window == (-159.0, 240.0)
