"""Views of a picture: augmented ones to learn answers from, spoilt ones to learn doubt from."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter


def augmented(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Crop, turn and light a picture a little differently; left stays left.

    Args:
        picture: RGB or grey.
        rng: Decides by how much: 0.8 to 1 of each side, 7 degrees, 0.8 to 1.25 of brightness and contrast.

    Returns:
        A picture of the cropped size.
    """
    turned = picture.rotate(rng.uniform(-7, 7), Image.Resampling.BICUBIC)
    cut = _cropped(turned, rng, 0.8, 1.0)
    lit = ImageEnhance.Brightness(cut).enhance(rng.uniform(0.8, 1.25))
    return ImageEnhance.Contrast(lit).enhance(rng.uniform(0.8, 1.25))


def spoilt(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Make a picture hard to read: blurred, noisy, or a small part of it, sometimes two of these.

    What is shown is then truly doubtful, so that a model's own probability varies where it otherwise is always sure.
    """
    spoilers = [_blurred, _noisy, _small_part]
    for spoiler in rng.sample(spoilers, rng.choice((1, 1, 2))):
        picture = spoiler(picture, rng)
    return picture


def _cropped(picture: Image.Image, rng: random.Random, least: float, most: float) -> Image.Image:
    width, height = picture.size
    own_width, own_height = (max(8, round(side * rng.uniform(least, most))) for side in (width, height))
    left, top = rng.randint(0, width - own_width), rng.randint(0, height - own_height)
    return picture.crop((left, top, left + own_width, top + own_height))


def _small_part(picture: Image.Image, rng: random.Random) -> Image.Image:
    return _cropped(picture, rng, 0.2, 0.5)


def _blurred(picture: Image.Image, rng: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.01, 0.06) * max(picture.size)))


def _noisy(picture: Image.Image, rng: random.Random) -> Image.Image:
    values = np.asarray(picture.convert("L"), dtype=np.float32)
    drawn = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(30, 140), values.shape)
    return Image.fromarray(np.clip(values + drawn, 0, 255).astype(np.uint8)).convert("RGB")
