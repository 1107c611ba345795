"""Makes the files of files.yaml."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image, ImageCms

Values = np.ndarray[Any, Any]
WIDTH, HEIGHT = 48, 36
_X, _Y = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
_RAMP: Values = (_X + _Y) / 2


@dataclass(frozen=True, slots=True)
class FileCase:
    """A row of files.yaml."""

    form: str
    pixels: str
    becomes: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The row in a test's name."""
        return "-".join((self.form, self.pixels, *(f"{name}={value}" for name, value in self.options.items())))

    def content(self) -> bytes:
        """The file's bytes."""
        if self.form == "text":
            return {"svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "nothing": b""}[self.pixels]
        if self.form == "tiff-by-hand":
            return tiff(np.asarray(picture(self.pixels)), self.options["photometric"])
        options = dict(self.options)
        if (orientation := options.pop("orientation", None)) is not None:
            exif = Image.Exif()
            exif[0x0112] = orientation
            options["exif"] = exif
        data = encode(picture("colour" if self.pixels == "cut-short" else self.pixels), self.form, self.pixels, options)
        return data[: len(data) // 2] if self.pixels == "cut-short" else data


def file_cases() -> list[FileCase]:
    """All rows."""
    rows = yaml.safe_load((Path(__file__).parent / "files.yaml").read_text(encoding="utf-8"))
    return [FileCase(**row) for row in rows]


def encode(image: Image.Image, form: str, pixels: str, options: dict[str, Any]) -> bytes:
    """Write a picture, with more frames or a colour profile where the pixels want them."""
    if pixels in ("animated", "two-pages", "two-pictures"):
        options |= {"save_all": True, "append_images": [image.transpose(Image.Transpose.ROTATE_180)]}
    if pixels == "profile":
        options["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if pixels == "grey-keyed":
        options["transparency"] = 12
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def picture(pixels: str) -> Image.Image:
    """The picture of a name."""
    shallow = _shallow(pixels)
    return Image.fromarray(_deep(pixels)) if shallow is None else shallow


def _shallow(pixels: str) -> Image.Image | None:
    grey = Image.fromarray(np.rint(_RAMP * 255).astype(np.uint8))
    colour = Image.fromarray(np.rint(np.stack([_X, _Y, 1 - _X], axis=-1) * 255).astype(np.uint8))
    alpha = Image.fromarray(np.where(_X < 0.3, 0, np.where(_X < 0.6, 128, 255)).astype(np.uint8))
    match pixels:
        case "grey" | "grey-keyed":
            return grey
        case "bilevel":
            return grey.convert("1")
        case "grey-as-colour":
            return grey.convert("RGB")
        case "colour" | "profile" | "animated" | "two-pages" | "two-pictures":
            return colour
        case "grey-alpha":
            return Image.merge("LA", (grey, alpha))
        case "colour-alpha":
            return Image.merge("RGBA", (*colour.split(), alpha))
        case "palette":
            return colour.quantize(32)
        case "palette-alpha":
            return Image.merge("RGBA", (*colour.split(), alpha)).quantize(32)
        case "cmyk" | "lab":
            return colour.convert("CMYK") if pixels == "cmyk" else Image.new("LAB", (WIDTH, HEIGHT), (120, 130, 140))
        case "radiograph":
            return grey.resize((905, 1022), Image.Resampling.BICUBIC)
        case "large":
            return colour.resize((2400, 1800), Image.Resampling.BICUBIC)
        case "tiny":
            return grey.resize((7, 40))
        case "narrow":
            return grey.resize((600, 9))
    return None


def _deep(pixels: str) -> Values:
    twelve: Values = np.rint(_RAMP * 4095).astype(np.uint16)
    real: Values = (_RAMP * 4 - 1).astype(np.float32)
    match pixels:
        case "sixteen-bit":
            return twelve * np.uint16(16)
        case "twelve-bit":
            return twelve
        case "hot-pixel":
            twelve[3, 3] = 65535
            return twelve
        case "padded":
            twelve += 20_000
            twelve[:, :10] = 0
            return twelve
        case "flat-sixteen-bit":
            return np.full_like(twelve, 700)
        case "signed-thirty-two-bit":
            return twelve.astype(np.int32) - np.int32(1000)
        case "float":
            return real
        case "float-with-nan":
            real[0, :3] = np.nan, np.inf, -np.inf
            return real
        case "padded-float":
            real[:, :10] = -2000
            return real
    raise ValueError(pixels)


def tiff(values: Values, photometric: int, *extra: tuple[int, int, int, int]) -> bytes:
    """An uncompressed little-endian grey TIFF, written by the specification (TIFF 6.0) and by no library."""
    height, width = values.shape
    tags = sorted(
        [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, values.dtype.itemsize * 8), (259, 3, 1, 1),
         (262, 3, 1, photometric), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, values.nbytes), *extra]
    )  # fmt: skip
    start = 8 + 2 + 12 * (len(tags) + 1) + 4
    tags = sorted([*tags, (273, 4, 1, start)])
    return (
        struct.pack("<2sHIH", b"II", 42, 8, len(tags))
        + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        + struct.pack("<I", 0)
        + values.tobytes()
    )
