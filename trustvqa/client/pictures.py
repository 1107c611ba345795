"""Pictures of every kind that the client takes, as the file that is sent.

A file goes as it is, a DICOM file too, but without its name. Of an array or a PIL image the pixels go: as a PNG without
metadata, or as such a TIFF where a PNG cannot hold the values. Of a pydicom dataset the elements go that a gateway
reads, which are none of its patient's. Windows are the gateway's work, whatever the kind.
"""

from __future__ import annotations

import os
import re
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from trustvqa.client.errors import UnusablePictureError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

Picture: TypeAlias = Any
"""A path, the bytes or an open binary file of a picture, a numpy array (height × width of uint8, uint16, int16, int32
or float32, or height × width × 3 of uint8), a PIL image, or a pydicom dataset."""

MAX_BYTES = 100_000_000
"""Largest file that is read; gateways take less."""
# How pictures begin that a gateway may read, beside DICOM.
_PICTURES = re.compile(rb"\x89PNG|\xff\xd8|RIFF.{4}WEBP|II[*+]\0|MM\0[*+]|BM|GIF8|\0\0\0\x0cjP  ", re.DOTALL)
_ADDRESS = re.compile(r"data:|[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_DEEP_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


def picture_file(picture: Picture) -> bytes:
    """Make the file that is sent of a picture.

    Args:
        picture: What there is.

    Returns:
        The bytes of a PNG, TIFF or DICOM file, or of the file that was given.

    Raises:
        UnusablePictureError: If it cannot be read, or is no picture that can be sent.

    Example:
        >>> import numpy as np
        >>> picture_file(np.zeros((20, 30), dtype=np.uint8))[1:4]
        b'PNG'
    """
    if isinstance(picture, str) and _ADDRESS.match(picture):
        raise UnusablePictureError(
            "a text is a picture's path, not its address or data: URL: fetch or decode it, and give the bytes"
        )
    if isinstance(picture, str | os.PathLike):
        return _plain(_read_path(Path(picture)))
    if isinstance(picture, bytes | bytearray | memoryview):
        return _plain(bytes(picture))
    kinds = {each.__module__.partition(".")[0] for each in type(picture).__mro__}
    if "pydicom" in kinds:
        from trustvqa.client.dicom import dataset_bytes

        return dataset_bytes(picture)
    if "numpy" in kinds:
        return _of_array(picture)
    if "PIL" in kinds:
        return _of_image(picture)
    if hasattr(picture, "read"):
        return _plain(_read_file(picture))
    raise UnusablePictureError(
        f"a {type(picture).__name__} is no picture: give a path, bytes, a file, a numpy array, a PIL image or a "
        "pydicom dataset"
    )


def _read_path(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return _read_file(stream)
    except OSError as error:
        raise UnusablePictureError(f"{path} cannot be read ({error.strerror or type(error).__name__})") from error


def _read_file(stream: IO[bytes]) -> bytes:
    data: bytes | str
    try:
        data = stream.read(MAX_BYTES + 1)
    except UnicodeDecodeError:
        data = ""
    if not isinstance(data, bytes):
        raise UnusablePictureError("the file must be open for bytes, not for text: open it with mode 'rb'")
    return data


def _plain(data: bytes) -> bytes:
    if not data:
        raise UnusablePictureError("the picture's file is empty")
    if len(data) > MAX_BYTES:
        raise UnusablePictureError(f"the picture's file has more than {MAX_BYTES} bytes")
    if _PICTURES.match(data):
        return data
    from prompt4trust.pictures.dicom import begins_as_dicom

    if begins_as_dicom(data):
        return data
    from prompt4trust.pictures.unread.formats import unread_format

    found = unread_format(data)
    raise UnusablePictureError(
        f"the file is {found or 'neither a picture that is known nor DICOM'}: give PNG, JPEG, WebP, TIFF, BMP or DICOM"
    )


def _of_array(values: np.ndarray[Any, Any]) -> bytes:
    import numpy as np
    from PIL import Image

    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    kind = values.dtype.newbyteorder("=") if hasattr(values, "dtype") else None
    if kind == np.int16:
        values, kind = values.astype(np.int32), np.dtype(np.int32)
    is_grey = values.ndim == 2 and kind in (np.uint8, np.uint16, np.int32, np.float32)
    is_colour = values.ndim == 3 and values.shape[2] == 3 and kind == np.uint8
    if not (is_grey or is_colour) or not values.size:
        raise UnusablePictureError(
            f"an array of {values.dtype} and shape {values.shape} is no picture: give height × width of uint8, "
            "uint16, int16, int32 or float32, or height × width × 3 of uint8"
        )
    return _file_of(Image.fromarray(np.ascontiguousarray(values, dtype=kind)))


def _of_image(image: Image.Image) -> bytes:
    from PIL import ImageOps

    from prompt4trust.errors import PictureError
    from prompt4trust.pictures.unread.kinds import check_kind, check_signs

    try:
        check_kind(image)
        image.load()
        check_signs(image)
        upright = ImageOps.exif_transpose(image)
        if upright.mode in _DEEP_MODES:
            # Never `convert`, which cuts off whatever is above 255: the gateway windows deep grey.
            return _file_of(upright, is_inverted=_is_inverted(image))
        if upright.mode not in ("L", "RGB"):
            # Transparent pixels hold whatever colour: on black they are what a viewer shows around a picture.
            upright = _on_black(upright) if "A" in upright.getbands() or upright.mode == "P" else upright.convert("RGB")
        return _file_of(upright)
    except PictureError as error:
        raise UnusablePictureError(error.detail) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UnusablePictureError(f"the PIL image cannot be read ({error})") from error


def _is_inverted(image: Image.Image) -> bool:
    """Whether large values are dark, which Pillow undoes at 8 bits only."""
    return image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _on_black(image: Image.Image) -> Image.Image:
    from PIL import Image

    from prompt4trust.pictures.unread.kinds import transparent_throughout

    layered = image.convert("RGBA")
    if layered.getchannel("A").getbbox() is None:
        raise transparent_throughout()
    ground = Image.new("RGBA", layered.size, (0, 0, 0, 255))
    return Image.alpha_composite(ground, layered).convert("RGB")


def _file_of(image: Image.Image, *, is_inverted: bool = False) -> bytes:
    import numpy as np
    from PIL import Image

    is_short = image.mode.startswith("I;16")
    bare = Image.fromarray(np.asarray(image).astype(np.uint16)) if is_short else image.copy()
    bare.info = {}  # what a file says besides its pixels, such as who is on them
    file = BytesIO()
    if is_inverted or image.mode in ("I", "F"):
        tags = {_PHOTOMETRIC: _WHITE_IS_ZERO} if is_inverted else {}
        bare.save(file, "TIFF", compression="tiff_adobe_deflate", tiffinfo=tags)
    else:
        bare.save(file, "PNG", compress_level=1)
    return file.getvalue()
