"""Pictures of the size that clinics send: made here, or files of one's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin

QUESTION, OPTIONS = "Which side shows the effusion?", ("Left", "Right")
_BLOCK = 8  # pixels of a side of what JPEG codes at once
_NOISE = 0.012  # as a part of the range: what a radiograph's quantum noise is of, seen at a screen


@dataclass(frozen=True, slots=True)
class SizedPicture:
    """A file that a client sends.

    Attributes:
        name: What tables call it.
        media_type: Its type.
        file: Its bytes.
    """

    name: str
    media_type: str
    file: bytes

    @property
    def data_url(self) -> str:
        """The file as a data: URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.file).decode()}"

    def vqa_body(self, question: str = QUESTION) -> bytes:
        """Body of POST /vqa."""
        image = base64.b64encode(self.file).decode()
        return json.dumps({"image": image, "question": question, "options": OPTIONS}).encode()

    def chat_body(self, model: str, question: str = QUESTION) -> bytes:
        """Body of POST /v1/chat/completions that asks the same."""
        options = "\n".join(f"{letter}: {text}" for letter, text in zip("AB", OPTIONS, strict=True))
        text = f"{question}\n{options}\n\nState the answer's letter and your confidence from 0 to 100."
        content: list[Any] = [
            {"type": "image_url", "image_url": {"url": self.data_url}},
            {"type": "text", "text": text},
        ]
        return json.dumps({"model": model, "messages": [{"role": "user", "content": content}]}).encode()


def another(picture: SizedPicture, number: int) -> SizedPicture:
    """Make another picture of a JPEG, of its size and coded as it is: its columns moved around.

    Args:
        picture: The JPEG.
        number: Another number, another picture, up to as many as it has columns.

    Example:
        >>> first, second = (another(made_pictures()[0], number) for number in (1, 2))
        >>> first.file == second.file, 0.95 < len(first.file) / len(second.file) < 1.05
        (False, True)
    """
    with Image.open(BytesIO(picture.file), formats=("JPEG",)) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        moved = Image.fromarray(np.roll(np.asarray(image), _BLOCK * number, axis=1))
        tables, sampling = image.quantization, JpegImagePlugin.get_sampling(image)
    coded = BytesIO()
    moved.save(coded, "JPEG", qtables=tables, subsampling=sampling)
    return SizedPicture(picture.name, picture.media_type, coded.getvalue())


def made_pictures() -> list[SizedPicture]:
    """Make three pictures with the noise and the shades of radiographs.

    Returns:
        A JPEG of 905 x 1022 pixels and 47 KB, grey stored as colour as teaching files are; one of 2400 x 2400 and
        344 KB, grey; a PNG of 3000 x 2500 pixels of 16 bits.
    """
    colour = Image.fromarray(_eight_bits(_radiograph(905, 1022))).convert("RGB")
    grey = Image.fromarray(_eight_bits(_radiograph(2400, 2400)))
    deep = BytesIO()
    Image.fromarray((_radiograph(3000, 2500) * 4095).astype(np.uint16)).save(deep, "PNG")
    return [
        _sized("905 x 1022 JPEG", "image/jpeg", _jpeg_of(colour, 47_000)),
        _sized("2400 x 2400 JPEG", "image/jpeg", _jpeg_of(grey, 344_000)),
        _sized("3000 x 2500 16-bit PNG", "image/png", deep.getvalue()),
    ]


def read_pictures(paths: Sequence[Path]) -> list[SizedPicture]:
    """Read files; raises OSError where one is none."""
    found = []
    for path in paths:
        data = path.read_bytes()
        with Image.open(BytesIO(data)) as image:
            name = f"{image.width} x {image.height} {image.format}"
            found.append(_sized(name, Image.MIME[str(image.format)], data))
    return found


def _sized(name: str, media_type: str, data: bytes) -> SizedPicture:
    return SizedPicture(f"{name}, {len(data) / 1e3:.0f} KB", media_type, data)


def _radiograph(width: int, height: int) -> npt.NDArray[np.float64]:
    """Two lungs, a spine, ribs and noise; values from 0 to 1."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    body = np.clip(1.3 - np.hypot(x / 0.95, y / 1.3) ** 4, 0, 1) * 0.75
    for side in (-1, 1):
        lung = np.hypot((x - side * 0.42) / 0.32, (y + 0.05) / 0.6)
        body -= 0.45 / (1 + np.exp((lung - 1) * 18))
    body += 0.2 * np.exp(-((x / 0.09) ** 2)) + 0.05 * np.sin(24 * y + 5 * np.abs(x)) * (np.abs(x) < 0.8)
    noise = np.random.default_rng(width).normal(0, _NOISE, body.shape)
    return np.clip(body + noise, 0, 1)


def _eight_bits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    return np.rint(values * 255).astype(np.uint8)


def _jpeg_of(picture: Image.Image, size: int) -> bytes:
    """Encode at the highest quality that a number of bytes allows."""
    for quality in range(95, 4, -1):
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= size:
            break
    return buffer.getvalue()
