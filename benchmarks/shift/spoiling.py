"""Pictures that should seem strange, pictures that should not, and questions about something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.Image import Resampling

Pixels = npt.NDArray[np.uint8]
Spoil = Callable[[Pixels, np.random.Generator], Image.Image]


def _noise(pixels: Pixels, rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, pixels.shape).astype(np.uint8))


def _landscape(pixels: Pixels, rng: np.random.Generator) -> Image.Image:
    """Make a smooth picture in colour with photographs' spectrum: amplitude falls as one over frequency."""
    size = pixels.shape[0]
    across, along = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size))
    fall = 1 / np.maximum(np.hypot(across, along), 1 / size)
    planes = []
    for _ in range(3):
        waves = np.fft.ifft2(np.fft.fft2(rng.standard_normal(pixels.shape)) * fall).real
        low, high = np.quantile(waves, (0.01, 0.99))
        planes.append(Image.fromarray(np.clip((waves - low) / (high - low) * 255, 0, 255).astype(np.uint8)))
    return Image.merge("RGB", planes)


def _shuffled(pixels: Pixels, rng: np.random.Generator) -> Image.Image:
    side = pixels.shape[0] // 4
    tiles = pixels.reshape(4, side, 4, side).swapaxes(1, 2).reshape(16, side, side)[rng.permutation(16)]
    return Image.fromarray(tiles.reshape(4, 4, side, side).swapaxes(1, 2).reshape(4 * side, 4 * side))


def _jpeg(pixels: Pixels) -> Image.Image:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


def _inner(pixels: Pixels, share: float) -> Image.Image:
    cut = round(pixels.shape[0] * (1 - share) / 2)
    return Image.fromarray(pixels[cut:-cut, cut:-cut].copy())


STRANGE: Final[Mapping[str, Spoil]] = MappingProxyType(
    {
        "white noise": _noise,
        "photo-like noise in colour": _landscape,
        "blank grey": lambda pixels, _: Image.fromarray(np.full_like(pixels, 128)),
        "inverted": lambda pixels, _: Image.fromarray(255 - pixels),
        "turned by 90 degrees": lambda pixels, _: Image.fromarray(np.rot90(pixels).copy()),
        "turned upside down": lambda pixels, _: Image.fromarray(np.rot90(pixels, 2).copy()),
        "middle half alone": lambda pixels, _: _inner(pixels, 0.5),
        "a tenth cut off on each side": lambda pixels, _: _inner(pixels, 0.8),
        "tiles shuffled": _shuffled,
    }
)
"""Name -> what is done to a picture that makes it another."""

HARMLESS: Final[Mapping[str, Spoil]] = MappingProxyType(
    {
        "JPEG of quality 60": lambda pixels, _: _jpeg(pixels),
        "scaled to 300 %": lambda pixels, _: Image.fromarray(pixels).resize((336, 336), Resampling.BICUBIC),
        "15 % darker": lambda pixels, _: Image.fromarray((pixels * 0.85).astype(np.uint8)),
        "mirrored": lambda pixels, _: Image.fromarray(pixels[:, ::-1].copy()),
    }
)
"""The same for what leaves it the same picture, or another one of the same kind."""

ELSEWHERE: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("What is the capital of France?", ("Paris", "Rome", "Berlin", "Madrid")),
    ("Which drug should be given first?", ("Aspirin", "Heparin", "Insulin", "Morphine")),
    ("Which organ shows the lesion?", ("Liver", "Spleen", "Kidney", "Pancreas")),
    ("What is the most likely diagnosis?", ("Pneumonia", "Effusion", "Pneumothorax", "Normal")),
    ("Is there a fracture?", ("Yes", "No")),
    ("Are the findings benign?", ("Yes", "No", "Unsure")),
    ("Which vessel is marked by the arrow?", ("Aorta", "Vena cava", "Portal vein", "Renal artery")),
    ("What is the size of the lesion?", ("1 cm", "2 cm", "3 cm", "4 cm")),
    ("Which contrast agent was used?", ("Gadolinium", "Iodine", "None")),
    ("How old is the patient?", ("Under 20", "20 to 40", "40 to 60", "Over 60")),
    ("Which stain was used on this slide?", ("Haematoxylin", "Giemsa", "Silver")),
    ("Does the tube end above the carina?", ("Yes", "No")),
    ("What follow-up is advised?", ("Biopsy", "Surgery", "Repeat scan", "None")),
    ("Which vertebra is affected?", ("L1", "L2", "L3", "L4")),
    ("What is the heart rate in this tracing?", ("50", "75", "100", "150")),
    ("In welcher Ebene wurde das Bild aufgenommen?", ("Axial", "Sagittal", "Koronar")),
    ("Which side of the image is affected?", ("Cortex", "Medulla", "Pelvis")),
    ("What shape are the findings?", ("Malignant", "Benign")),
)
"""Questions that no family of Phantom-VQA asks, most about medical pictures, the last two in words that it does use."""
