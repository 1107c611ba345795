"""The one way to read a picture file: checked by its header, decoded, upright, eight bits deep, of bounded size.

Nothing of the file goes on but its pixels: no metadata, no trailing bytes. Grey deeper than eight bits is windowed
(`windowing`); 16 bits per colour keep their upper eight; transparency is laid on black, the ground of radiographs; CMYK
and YCbCr become RGB without colour management; grey that was stored as colour is grey again.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import PurePosixPath
from typing import Final

from PIL import Image, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

from prompt4trust.errors import PictureError
from prompt4trust.pictures.decoded import DecodedPicture, PictureOrigin, bare
from prompt4trust.pictures.dicom import DicomChoice, begins_as_dicom
from prompt4trust.pictures.grey_values import DEEP_MODES, bands, deep_values, is_inverted
from prompt4trust.pictures.greyness import as_grey
from prompt4trust.pictures.headers import check_structure, memory_needed
from prompt4trust.pictures.jpeg.coded import bare_jpeg, encode_jpeg
from prompt4trust.pictures.limits import PictureLimits, check_size, too_many_pixels, too_much_memory
from prompt4trust.pictures.unread.formats import unread_format
from prompt4trust.pictures.unread.kinds import (
    check_kind,
    check_signs,
    check_upper_bits,
    is_deep_colour,
    transparent_throughout,
)
from prompt4trust.pictures.windowing import window_grey

# Only these of Pillow's decoders are ever tried: every further one is attack surface.
FORMATS: Final = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
DICOM: Final = "DICOM"
"""The one format beside these, which Pillow has no part in; see `prompt4trust.pictures.dicom`."""
_READABLE: Final = "PNG, JPEG, WebP, TIFF, BMP or DICOM"
_MEDIA_TYPES: Final = {
    "image/png": "PNG",
    "image/x-png": "PNG",
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/pjpeg": "JPEG",
    "image/webp": "WEBP",
    "image/tiff": "TIFF",
    "image/x-tiff": "TIFF",
    "image/bmp": "BMP",
    "image/x-bmp": "BMP",
    "image/x-ms-bmp": "BMP",
    "application/dicom": DICOM,
    "image/dicom": DICOM,
    "image/x-dicom": DICOM,
}
_SUFFIXES: Final = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".dcm": DICOM,
    ".dicom": DICOM,
}
# How files of FORMATS begin: what begins so and cannot be read is damaged rather than of another kind.
_SIGNATURES: Final = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF.{4}WEBP|II[*+]\0|MM\0[*+]|BM", re.DOTALL)
_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BMP: Final = b"BM"
_UNDECLARED: Final = frozenset({"", "image/*", "*/*", "application/octet-stream", "binary/octet-stream"})
_ORIENTATION: Final = 0x0112
# EXIF 2.3, tag 0x0112: how the stored picture must be turned to stand upright.
_UPRIGHT: Final = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_TRANSPARENT: Final = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_OPAQUE: Final = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}


def begins_as_picture(data: bytes) -> bool:
    r"""Whether a file begins as those do that are read; says nothing of the rest.

    Example:
        >>> begins_as_picture(b"\xff\xd8\xff\xe0"), begins_as_picture(b"%PDF-1.7")
        (True, False)
    """
    return _SIGNATURES.match(data) is not None or begins_as_dicom(data)


def decode_picture(
    data: bytes,
    limits: PictureLimits,
    *,
    media_type: str | None = None,
    filename: str | None = None,
    all_pixels: bool = True,
    choice: DicomChoice = DicomChoice(),  # noqa: B008 - frozen
) -> DecodedPicture:
    """Check a picture and decode it; takes time and memory by its pixels, so call it in a worker thread.

    Args:
        data: The client's file.
        limits: What it may be.
        media_type: The type that the client declared, or None; must agree with the content.
        filename: The name that the client declared, or None; its suffix must agree with the content.
        all_pixels: Whether the picture's pixels are needed. Who only hands its file on, or describes it, does without:
            a JPEG is then seen to be whole by decoding it to its reduced picture.
        choice: The frame and the window that are wanted of a DICOM object.

    Returns:
        The picture, no larger than `limits.max_side`.

    Raises:
        PictureError: If the file is not taken; no other exception leaves this function, whatever the bytes.
    """
    if not data:
        raise PictureError("empty-image", "The image holds no bytes: send a file that is not empty.")
    try:
        if is_dicom(data):
            _check_declared(DICOM, media_type, filename)
            return _decode_dicom(data, limits, choice)
        _check_choice(choice)
        picture = _decode(data, limits, media_type, filename)
        if picture.jpeg is not None:
            _ = picture.pixels if all_pixels else picture.reduced  # where it is damaged, this finds it
        return picture
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_many_pixels(limits) from None
    except UnidentifiedImageError as error:
        if begins_as_picture(data):
            raise _damaged(data) from error
        found = unread_format(data)
        cause = f"The file is {found}" if found else "The image's content is of no known format"
        raise PictureError("unsupported-image", f"{cause}: send {_READABLE}.") from None
    except MemoryError:
        raise too_much_memory(limits) from None
    except Exception as error:
        # Decoders answer hostile bytes with OSError, SyntaxError, struct.error, IndexError, ...: a list would rot.
        raise _damaged(data) from error


def is_dicom(data: bytes) -> bool:
    """Whether a file is read as DICOM: one that begins as a TIFF too is (PS3.10, 7.1), as other pictures it is not."""
    return begins_as_dicom(data) and (data.startswith(_TIFF) or _SIGNATURES.match(data) is None)


def size_of_dicom(data: bytes, limits: PictureLimits) -> tuple[int, int]:
    """Read the width and height that a DICOM object states, without decoding it.

    Raises:
        PictureError: If it states none, or is not taken.
    """
    try:
        from prompt4trust.pictures.dicom.reading import read_size
    except ImportError:
        raise _no_dicom() from None
    return read_size(data, limits)


def _no_dicom() -> PictureError:
    return PictureError(
        "unsupported-image",
        "The image is a DICOM object, and this installation reads none: install trustvqa[dicom], or send "
        "PNG, JPEG, WebP, TIFF or BMP.",
    )


def _decode_dicom(data: bytes, limits: PictureLimits, choice: DicomChoice) -> DecodedPicture:
    try:
        from prompt4trust.pictures.dicom.reading import read_dicom
        from prompt4trust.pictures.dicom.refusals import check_is_picture
    except ImportError:
        raise _no_dicom() from None
    read = read_dicom(data, limits, choice)
    check_is_picture(read.source.sop_class_uid)
    size = read.image.size
    fitted = bare(_scaled(as_grey(read.image), _fitted_size(size, limits), Resampling.LANCZOS))
    scale = min(1.0, max(fitted.size) / max(size))
    origin = PictureOrigin(DICOM, size, read.window, scale, read.source, read.sex_and_age)
    return DecodedPicture(fitted.size, origin, fitted, None)


def _check_choice(choice: DicomChoice) -> None:
    if choice.frame is not None:
        raise PictureError("unknown-frame", "The image is no DICOM object: ask without a frame.")
    if choice.window is not None:
        raise PictureError("unknown-window", "The image is no DICOM object: ask without a window.")


def _damaged(data: bytes) -> PictureError:
    # TIFF is a frame for codings and depths without number, and BMP for some, of which a decoder knows a part.
    form = "TIFF" if data.startswith(_TIFF) else "BMP" if data.startswith(_BMP) else None
    cause = (
        f"damaged, cut short, or a {form} of a kind that is not read. Export it as PNG"
        if form
        else "damaged or cut short. Export it again"
    )
    return PictureError("damaged-image", f"The image cannot be decoded: it is {cause} and resend it.")


def _decode(data: bytes, limits: PictureLimits, media_type: str | None, filename: str | None) -> DecodedPicture:
    check_structure(data, limits)
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        # A JPEG with further pictures behind it (phones store gain maps so) opens as MPO; its first is the picture.
        source_format = "JPEG" if image.format == "MPO" else str(image.format)
        _check_declared(source_format, media_type, filename)
        _check_header(image, data, limits)
        source_size = image.size
        window = None
        if source_format == "JPEG":
            jpeg, made, size = _as_jpeg(image, data, limits)
        else:
            jpeg, (made, window) = None, _fitted(image, _fitted_size(source_size, limits))
            size = made.size
    scale = min(1.0, max(size) / max(source_size))
    return DecodedPicture(size, PictureOrigin(source_format, source_size, window, scale), made, jpeg)


def _as_jpeg(
    image: Image.Image, data: bytes, limits: PictureLimits
) -> tuple[bytes, Image.Image | None, tuple[int, int]]:
    """Give a JPEG as it goes on: its own coded picture where it stands upright and is small enough, else another.

    Returns:
        The file; the pixels that it was made of, or None where it is the client's own, which is not decoded here; and
        its width and height.
    """
    size = _fitted_size(image.size, limits)
    if size == image.size and orientation_of(image) not in _UPRIGHT and (plain := bare_jpeg(data)):
        return plain, None, size
    # The decoder itself scales, by a power of two: a small part of the time and the memory.
    drafted = image.draft(None, size)
    fitted, _ = _fitted(image, size, drafted[1] if drafted else None)
    return encode_jpeg(fitted, 2 * len(data)), fitted, fitted.size


def _fitted_size(size: tuple[int, int], limits: PictureLimits) -> tuple[int, int]:
    scale = min(1.0, limits.max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _fitted(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> tuple[Image.Image, tuple[float, float] | None]:
    """Load a picture and make it what models see, with its window.

    Args:
        image: The picture, not yet loaded.
        size: What it is scaled to before it is turned upright.
        box: The part that holds the picture, in pixels, where that is not all: a decoder that scales pads the edges.
    """
    is_deep = is_deep_colour(image)
    image.load()
    check_signs(image)
    if is_deep:
        check_upper_bits(image)
    shallow, window = _eight_bit(image)
    # A JPEG's decoder has done most of the way. For what is left a short kernel does: it loses less than the coding
    # that follows.
    kernel = Resampling.HAMMING if image.format in ("JPEG", "MPO") else Resampling.LANCZOS
    return bare(upright(_scaled(as_grey(shallow), size, kernel, box), orientation_of(image))), window


def _scaled(
    picture: Image.Image,
    size: tuple[int, int],
    kernel: Resampling,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    if picture.size == size and not box:
        return picture
    return as_grey(picture.resize(size, kernel, box, reducing_gap=3.0))


def _check_declared(found: str, media_type: str | None, filename: str | None) -> None:
    declared = (media_type or "").split(";")[0].strip().lower()
    if declared not in _UNDECLARED and _MEDIA_TYPES.get(declared) != found:
        raise PictureError(
            "image-type-mismatch",
            f"The image was declared as another type than its content, which is {found}: declare it as that.",
        )
    suffix = PurePosixPath((filename or "").strip().lower()).suffix
    if _SUFFIXES.get(suffix, found) != found:
        raise PictureError(
            "image-type-mismatch",
            f"The image's file name ends as another type than its content, which is {found}: name it as that.",
        )


def _check_header(image: Image.Image, data: bytes, limits: PictureLimits) -> None:
    """Refuse by what the header says, before pixels are decoded."""
    check_size(image.size, limits)
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise PictureError("animated-image", "The image holds several frames or pages: send the one that is meant.")
    check_kind(image)
    if memory_needed(image, data, _fitted_size(image.size, limits)) > limits.max_memory:
        raise too_much_memory(limits)


def _eight_bit(image: Image.Image) -> tuple[Image.Image, tuple[float, float] | None]:
    """Bring a decoded picture to mode L or RGB, with the window where it was deep grey."""
    if image.mode in DEEP_MODES:
        grey, window = window_grey(deep_values(image))
        return Image.fromarray(255 - grey if is_inverted(image) else grey), window
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        return _on_black(image), None
    if image.mode not in _OPAQUE:
        raise PictureError("unsupported-image", "The image's colour space is not read: export it as grey or RGB.")
    mode = _OPAQUE[image.mode]
    return image if image.mode == mode else image.convert(mode), None


def _on_black(image: Image.Image) -> Image.Image:
    grey = image.mode in ("LA", "La", "L", "1")
    ground, is_seen = Image.new("L" if grey else "RGB", image.size), False
    for top, band in bands(image):
        layered = band.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        alpha = layered.getchannel("A")
        is_seen = is_seen or alpha.getbbox() is not None
        ground.paste(layered.convert(ground.mode), (0, top), alpha)
    if not is_seen:
        raise transparent_throughout()
    return ground


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1 where there is none or it cannot be read: every viewer shows such a picture as it lies."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture upright; one without a known EXIF orientation stays as it lies."""
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)
