"""DICOM objects: those that come with pydicom, and such as are made of them."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data.data_manager import DATA_ROOT
from pydicom.uid import ExplicitVRLittleEndian

_OTHERS = {".py", ".pyc", ".json", ".txt", ".sha256", ".dump", ".gz", ".icc", ".md"}

needs_dcmtk = pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="dcmtk is not installed")


def bundled() -> list[Path]:
    """All DICOM files that come with pydicom, of every name."""
    files = (path for path in Path(DATA_ROOT).rglob("*") if path.is_file())
    return sorted(path for path in files if path.suffix not in _OTHERS and not path.name.startswith("README"))


def named(path: Path) -> str:
    return "/".join(path.relative_to(DATA_ROOT).parts[1:])


def bundled_file(name: str) -> Path:
    return Path(DATA_ROOT) / "test_files" / name


def ct(**attributes: Any) -> Dataset:
    """pydicom's CT slice, 128 × 128 of 16 signed bits, with attributes of one's own; None takes one away."""
    return changed(dcmread(bundled_file("CT_small.dcm")), attributes)


def with_padding(dataset: Dataset, value: int) -> Dataset:
    """State a padding value, as signed as the pixels are."""
    dataset.add_new(0x00280120, "SS" if dataset.PixelRepresentation else "US", value)
    return dataset


def changed(dataset: Dataset, attributes: dict[str, Any]) -> Dataset:
    for name, value in attributes.items():
        if value is None:
            if name in dataset:
                del dataset[name]
        else:
            setattr(dataset, name, value)
    return dataset


def with_pixels(values: NDArray[Any], **attributes: Any) -> Dataset:
    """The CT slice with pixels of one's own: height × width, or frames × height × width."""
    dataset = ct(PixelPaddingValue=None, RescaleSlope="1", RescaleIntercept="0")
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows, dataset.Columns = values.shape[-2:]
    if values.ndim == 3:
        dataset.NumberOfFrames = len(values)
    dataset.BitsAllocated = dataset.BitsStored = 8 * values.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    if values.dtype.kind == "f":
        del dataset.PixelData
        setattr(dataset, {4: "FloatPixelData", 8: "DoubleFloatPixelData"}[values.itemsize], values.tobytes())
    else:
        dataset.PixelRepresentation = int(values.dtype.kind == "i")
        dataset["PixelData"].VR = "OB" if values.itemsize == 1 else "OW"
        dataset.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    return changed(dataset, attributes)


def written(dataset: Dataset) -> bytes:
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def shown_by_dcmtk(file: Path, tmp_path: Path, *window: str, frame: int = 1) -> NDArray[np.uint8] | None:
    """The picture as dcmtk renders it, height × width × 3, or None where it cannot."""
    picture = tmp_path / "shown.png"
    # Two tools, of which one reads JPEG and the other JPEG-LS.
    tool = "dcml2pnm" if any(part in file.name.lower() for part in ("jls", "jpegls", "jpeg_ls")) else "dcmj2pnm"
    asked = [tool, "-O", "+F", str(frame), *window, "+on", str(file), str(picture)]
    if subprocess.run(asked, capture_output=True, check=False, timeout=60).returncode != 0:
        return None
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB"))
