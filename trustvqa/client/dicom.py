"""The pixels of a DICOM object as a person would see them: rescaled, windowed, and with white for the bright."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trustvqa.client.errors import UnusablePictureError

_WHITE = 255
_DEEPEST = 65_535


def read_dicom(data: bytes, *, has_preamble: bool) -> Any:
    """Read a DICOM file, or a data set as some archives store it: without preamble, perhaps without a header.

    Args:
        data: The bytes.
        has_preamble: Whether they begin as a DICOM file.

    Returns:
        A pydicom dataset; without a preamble one that has pixels.

    Raises:
        UnusablePictureError: If they are none.
    """
    from pydicom import dcmread
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        dataset = dcmread(BytesIO(data), force=not has_preamble)
        if has_preamble:
            return dataset
        if "PixelData" in dataset:
            if "TransferSyntaxUID" not in dataset.file_meta:
                is_implicit, is_little = dataset.original_encoding
                explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
                dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
            return dataset
    except Exception as error:
        # pydicom raises whatever the faults of a file lead to.
        what = "the DICOM file" if has_preamble else "the file is no picture that is known, and as DICOM it"
        raise UnusablePictureError(f"{what} cannot be read ({type(error).__name__})") from error
    raise UnusablePictureError("the file is neither a picture that is known (PNG, JPEG, WebP, TIFF, BMP) nor DICOM")


def dicom_pixels(dataset: Any) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read the pixels of a DICOM object of one frame.

    Grey values are rescaled (Modality LUT) and windowed by the object's own first VOI LUT or window. An object without
    either keeps its depth: the gateway windows it. MONOCHROME1 is turned, so that bright means white.

    Args:
        dataset: A pydicom dataset with pixel data.

    Returns:
        Height × width of uint8 or uint16, or height × width × 3 of uint8.

    Raises:
        UnusablePictureError: If there are no pixels, several frames, or pixels in a form that is not read here.
    """
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    if "PixelData" not in dataset:
        raise UnusablePictureError("the DICOM object has no pixels")
    if int(dataset.get("NumberOfFrames", 1) or 1) > 1:
        raise UnusablePictureError("the DICOM object has several frames: send one, as a numpy array")
    try:
        values = pixel_array(dataset)
        seen_as = str(dataset.PhotometricInterpretation)
        if seen_as == "PALETTE COLOR":
            return _colour(apply_color_lut(values, dataset))
        if values.ndim == 3:
            return _colour(values)
        grey = _grey(values, dataset)
    except UnusablePictureError:
        raise
    except Exception as error:
        # pydicom and its decoders raise whatever an object's faults lead to.
        raise UnusablePictureError(f"the DICOM object's pixels cannot be read ({type(error).__name__})") from error
    if seen_as == "MONOCHROME1":
        np.bitwise_not(grey, out=grey)
    return grey


def _grey(values: NDArray[Any], dataset: Any) -> NDArray[np.uint8] | NDArray[np.uint16]:
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    rescaled = apply_modality_lut(values, dataset)
    if dataset.get("VOILUTSequence"):
        top = 2 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
        return _scaled(apply_voi_lut(rescaled, dataset).astype(float), 0.0, float(top))
    if dataset.get("WindowWidth") is not None and dataset.get("WindowCenter") is not None:
        # The ends of what windowing gives are those of values far beyond the window.
        low, high = apply_voi_lut(np.array([-1e12, 1e12]), dataset, prefer_lut=False)
        return _scaled(apply_voi_lut(rescaled.astype(float), dataset, prefer_lut=False), float(low), float(high))
    least = rescaled.min()
    span = float(rescaled.max()) - float(least)
    if span <= _DEEPEST and np.array_equal(rescaled, np.round(rescaled)):
        return (rescaled.astype(np.float64) - float(least)).astype(np.uint16)
    return _scaled(rescaled.astype(float), float(least), float(least) + span)


def _scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    span = high - low if high > low else 1.0
    return np.round((np.clip(values, low, high) - low) * (_WHITE / span)).astype(np.uint8)


def _colour(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype == np.uint16:
        values = values >> 8
    return values[:, :, :3].astype(np.uint8)
