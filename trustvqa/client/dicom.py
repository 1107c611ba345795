"""DICOM objects as the bytes that are sent: the gateway reads them, so that all its checks of them hold."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

from trustvqa.client.errors import UnusablePictureError

_CHARACTERS: Final = 0x0008_0005
"""Specific Character Set, in which names of windows are written."""


def dataset_bytes(dataset: Any) -> bytes:
    """Write a dataset as a DICOM file of the elements that gateways read: its pixels, and none of its patient's.

    The given dataset is not changed.

    Args:
        dataset: A pydicom dataset; of one without pixels the gateway says what it is.

    Returns:
        The bytes.

    Raises:
        UnusablePictureError: If it cannot be written.
    """
    from pydicom import Dataset, dcmwrite
    from pydicom.dataset import FileMetaDataset

    from prompt4trust.pictures.dicom.attributes import PIXEL_TAGS, READ_TAGS
    from prompt4trust.pictures.dicom.opening import syntax_of

    file = BytesIO()
    try:
        bare = Dataset()
        for tag in (_CHARACTERS, *READ_TAGS, *PIXEL_TAGS):
            if tag in dataset:
                bare[tag] = dataset[tag]
        meta = bare.file_meta = FileMetaDataset()
        meta.TransferSyntaxUID = syntax_of(dataset)
        dcmwrite(file, bare, enforce_file_format="SOPInstanceUID" in bare and "SOPClassUID" in bare)
    except Exception as error:
        # pydicom raises whatever the faults of a dataset lead to, and quotes it.
        raise UnusablePictureError(f"the DICOM dataset cannot be written ({type(error).__name__})") from error
    return file.getvalue()
