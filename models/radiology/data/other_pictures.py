"""Pictures of other kinds than radiographs, drawn by numbers: some to learn by, all to try what is told."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from prompt4trust.datasets.phantoms import render, sample_scene
from prompt4trust.datasets.phantoms.families import MODALITIES

Draw = Callable[[np.random.Generator], Image.Image]

QUESTION, OPTIONS = "Which body part is shown?", ("Head", "Chest", "Abdomen")
"""A usual question, so that it is the picture that is judged."""
UNSEEN_LOOK: Final = "PET"
_TEXT = "the of and to in a is that it was for on are as with they at be this from have or by one had not but what"


def phantom(rng: np.random.Generator, look: str) -> Image.Image:
    """Draw a phantom of Phantom-VQA in one look."""
    return Image.fromarray(render(sample_scene(rng, (look,))))


def fundus(rng: np.random.Generator) -> Image.Image:
    """Draw an orange disc on black with a bright spot and vessels that branch off it."""
    side = int(rng.integers(300, 900))
    down, across = np.mgrid[:side, :side] / (side / 2) - 1
    radius = np.hypot(down, across)
    shade = (1 - 0.5 * radius**2) * (0.8 + 0.3 * _waves(rng, side, side, 1.2))
    spot = rng.uniform(-0.05, 0.05), rng.choice((-0.4, 0.4))
    glow = np.exp(-((down - spot[0]) ** 2 + (across - spot[1]) ** 2) / 0.014)
    colours = shade[..., None] * np.array([0.75, 0.35, 0.15]) * rng.uniform(0.7, 1.2, 3)
    picture = _picture(colours + glow[..., None] * np.array([0.4, 0.4, 0.25]))
    pen = ImageDraw.Draw(picture)
    for _ in range(14):
        y, x, turn, width = (
            (spot[0] + 1) * side / 2,
            (spot[1] + 1) * side / 2,
            rng.uniform(0, 2 * math.pi),
            0.012 * side,
        )
        for _ in range(60):
            turn += rng.normal(0, 0.18)
            to = x + 0.012 * side * math.cos(turn), y + 0.012 * side * math.sin(turn)
            pen.line((x, y, *to), fill=(110, 30, 20), width=max(1, int(width)))
            (x, y), width = to, width * 0.985
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), dtype=np.float64) / 255
    return _picture((soft + rng.normal(0, 0.012, soft.shape)) * (radius < 0.93)[..., None])


def scene(rng: np.random.Generator) -> Image.Image:
    """Draw a landscape: sky, ground of natural texture, and a few things in colour."""
    height, width = int(rng.integers(300, 700)), int(rng.integers(300, 900))
    horizon = int(height * rng.uniform(0.3, 0.7))
    sky = np.array([0.4, 0.6, 0.9]) * rng.uniform(0.7, 1.1) + 0.4 * np.linspace(0, 1, height)[:, None, None]
    ground = np.array([0.3, 0.5, 0.2]) * rng.uniform(0.5, 1.3)
    above = (np.arange(height) < horizon)[:, None, None]
    picture = _picture(
        np.where(
            above,
            sky * (0.85 + 0.3 * _waves(rng, height, width, 1.6))[..., None],
            ground * (0.5 + _waves(rng, height, width, 1.0))[..., None],
        )
    )
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 9))):
        left, across, half = rng.integers(0, width), rng.integers(20, width // 4), rng.integers(10, height // 4)
        draw = pen.rectangle if rng.random() < 0.5 else pen.ellipse
        colour = tuple(rng.integers(20, 235, 3).tolist())
        draw((int(left), int(horizon - half), int(left + across), int(horizon + half)), fill=colour)
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), dtype=np.float64) / 255
    return _picture(soft + rng.normal(0, 0.02, soft.shape))


def page(rng: np.random.Generator) -> Image.Image:
    """Draw a page of print."""
    height, width, line = int(rng.integers(500, 1000)), int(rng.integers(400, 800)), int(rng.integers(10, 24))
    picture = Image.new("L", (width, height), int(rng.integers(235, 256)))
    pen, font, words = ImageDraw.Draw(picture), ImageFont.load_default(size=line * 0.8), _TEXT.split()
    for y in range(line * 2, height - line * 2, line):
        if rng.random() < 0.88:
            text = " ".join(rng.choice(words, max(2, int(width / (line * 2.2)))))
            pen.text((width * 0.08, y), text, fill=int(rng.integers(0, 60)), font=font)
    return picture


def scanned_page(rng: np.random.Generator) -> Image.Image:
    """Draw a page as a camera or scanner has it: askew, soft, unevenly lit."""
    turned = page(rng).rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, fillcolor=int(rng.integers(160, 255)))
    soft = np.asarray(turned.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5))), dtype=np.float64) / 255
    lit = soft * (0.75 + 0.25 * _waves(rng, turned.height, turned.width, 1.8))
    return _picture(lit + rng.normal(0, 0.024, soft.shape))


def colour_chart(rng: np.random.Generator) -> Image.Image:
    """Draw fields of even colours."""
    return _enlarged(rng.random((*rng.integers(3, 8, 2), 3)))


def grey_chart(rng: np.random.Generator) -> Image.Image:
    """Draw fields of even greys."""
    return _enlarged(rng.random(rng.integers(3, 8, 2)))


def white_noise(rng: np.random.Generator) -> Image.Image:
    """Draw noise without any likeness between neighbours."""
    return _picture(rng.normal(0.5, rng.uniform(0.04, 0.35), (int(rng.integers(128, 700)),) * 2))


def smooth_noise(rng: np.random.Generator) -> Image.Image:
    """Draw grey noise with photographs' spectrum."""
    side = int(rng.integers(200, 700))
    return _picture(_waves(rng, side, side, rng.uniform(0.8, 1.8)))


def blank(rng: np.random.Generator) -> Image.Image:
    """Draw one grey."""
    return Image.new("L", (int(rng.integers(128, 700)),) * 2, int(rng.integers(0, 256)))


def ramp(rng: np.random.Generator) -> Image.Image:
    """Draw a grey that grows evenly in one direction."""
    along = np.linspace(0, 1, int(rng.integers(128, 700)))
    slope = np.add.outer(along * rng.uniform(0, 1), along * rng.uniform(0.2, 1))
    return _picture(slope / slope.max())


DRAWN: Final[Mapping[str, Draw]] = MappingProxyType(
    {
        **{f"phantom, {look}": partial(phantom, look=look) for look in (*MODALITIES, UNSEEN_LOOK)},
        "fundus": fundus,
        "scene": scene,
        "grey scene": lambda rng: scene(rng).convert("L"),
        "grey fundus": lambda rng: fundus(rng).convert("L"),
        "page": page,
        "scanned page": scanned_page,
        "colour chart": colour_chart,
        "grey chart": grey_chart,
        "white noise": white_noise,
        "smooth noise": smooth_noise,
        "blank": blank,
        "ramp": ramp,
    }
)
"""Kind -> what draws one."""
LEARNED: Final = (*(f"phantom, {look}" for look in MODALITIES), "grey scene", "grey fundus", "smooth noise")
"""Kinds that a reference is shown; it has to tell the others by itself."""


def draw(kind: str, n: int, seed: int, split: str) -> Iterator[Image.Image]:
    """Draw pictures of a kind; those of one split are never those of another."""
    for index in range(n):
        yield DRAWN[kind](np.random.default_rng([seed, index, *f"{split} {kind}".encode()]))


def write_learned(folder: Path, n: int = 120, seed: int = 1) -> Path:
    """Write the kinds that a reference learns from as a data set.

    Args:
        folder: Gets questions.csv and images/.
        n: Pictures of each kind.
        seed: Their seed.

    Returns:
        The file of questions, for `trustvqa reference --other-kind`.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "questions.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)  # as PMC-VQA's tables are
        table.writerow(["Figure_path", "Question", "Answer", *(f"Choice {letter}" for letter in "ABC"), "Answer_label"])
        for kind in LEARNED:
            for index, picture in enumerate(draw(kind, n, seed, "learned")):
                name = f"{kind.replace(', ', '-').replace(' ', '-')}-{index}.png"
                picture.save(folder / "images" / name)
                table.writerow([name, QUESTION, OPTIONS[0], *OPTIONS, "A"])
    return folder / "questions.csv"


def _waves(rng: np.random.Generator, height: int, width: int, fall: float) -> npt.NDArray[np.float64]:
    """Noise whose amplitude falls with frequency, in [0, 1]; shape [height, width]."""
    down, across = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
    amplitude = 1 / np.maximum(np.hypot(down, across), 1 / max(height, width)) ** fall
    waves = np.fft.ifft2(np.fft.fft2(rng.standard_normal((height, width))) * amplitude).real
    low, high = np.quantile(waves, (0.01, 0.99))
    return np.asarray(np.clip((waves - low) / (high - low), 0, 1), dtype=np.float64)


def _picture(values: npt.NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(values * 255, 0, 255).astype(np.uint8))


def _enlarged(values: npt.NDArray[np.float64], side: int = 80) -> Image.Image:
    small = _picture(values)
    return small.resize((small.width * side, small.height * side), Image.Resampling.NEAREST)
