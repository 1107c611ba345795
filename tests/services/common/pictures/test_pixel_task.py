"""The memory that a header is found to ask for suffices, in a worker that has no more."""

from __future__ import annotations

from dataclasses import asdict
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, headers
from services.common.pictures.pixel_task import decode_pixels, picture_from
from services.common.pictures.pool import PicturePool, WorkerLimits
from services.common.pictures.worker import KEPT

SIDE = 4000
LOOSE = asdict(PictureLimits(max_memory=10**12))
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("L", "PNG", {}),
    ("P", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("I;16", "PNG", {}),
    ("RGB", "JPEG", {"progressive": True}),
    ("CMYK", "JPEG", {"progressive": True}),
    ("RGB", "WEBP", {"quality": 0, "method": 0}),
    ("RGB", "BMP", {}),
    ("RGB", "TIFF", {"compression": "packbits", "strip_size": 1 << 30}),
    ("I", "TIFF", {"compression": "tiff_deflate"}),
]


def encoded(mode: str, form: str, options: dict[str, Any]) -> bytes:
    ramp = np.linspace(0, 200, SIDE).astype({"I;16": np.uint16, "I": np.int32}.get(mode, np.uint8))
    image = Image.fromarray(np.broadcast_to(ramp, (SIDE, SIDE)))
    if mode in ("RGB", "RGBA", "CMYK"):
        image = Image.merge("RGB", (image, image.transpose(Image.Transpose.ROTATE_90), image)).convert(mode)
    buffer = BytesIO()
    (image.convert("P") if mode == "P" else image).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("mode", "form", "options"), CASES)
async def test_what_the_header_asks_for_suffices(mode: str, form: str, options: dict[str, Any]) -> None:
    data = encoded(mode, form, options)
    with Image.open(BytesIO(data)) as image:
        needed = headers.memory_needed(image, data, (1024, 1024))
    async with PicturePool(decode_pixels, WorkerLimits(1, needed - KEPT, 60)) as pool:
        picture = picture_from(*await pool.run(data, {"limits": LOOSE, "media_type": None}))
    assert picture.size == (1024, 1024)


async def test_what_would_take_more_is_refused_by_the_header_or_by_the_memory() -> None:
    data = encoded("RGBA", "PNG", {})
    async with PicturePool(decode_pixels, WorkerLimits(1, 50_000_000, 60)) as pool:
        for limits in (LOOSE, asdict(PictureLimits(max_memory=100_000_000))):
            with pytest.raises(PictureError) as refused:
                await pool.run(data, {"limits": limits, "media_type": None})
            assert refused.value.fault == "image-too-large"


@pytest.mark.parametrize("told", [{"mode": "CMYK", "size": [2, 2]}, {"mode": "L", "size": [3, 2]}])
def test_pixels_that_are_no_picture_are_refused(told: dict[str, Any]) -> None:
    with pytest.raises(PictureError):
        picture_from(told, bytes(4))
