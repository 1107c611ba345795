"""Phantom questions for benchmarks: as many as wanted, none asked before."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from prompt4trust.datasets.phantoms import render, sample_question, sample_scene


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question about a phantom.

    Attributes:
        text: The question.
        options: Its options.
        answer: Place of the right one among them, from 0.
        png: The picture, as a PNG file's bytes.
    """

    text: str
    options: tuple[str, ...]
    answer: int
    png: bytes

    @property
    def base64(self) -> str:
        """The picture's bytes in Base64."""
        return base64.b64encode(self.png).decode()

    @property
    def data_url(self) -> str:
        """The picture as a data URL."""
        return f"data:image/png;base64,{self.base64}"


def draw(count: int, seed: int) -> Iterator[Drawn]:
    """Draw questions that no server has seen, so that none profits from a cache.

    Args:
        count: How many.
        seed: Another seed, other pictures.
    """
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        scene = sample_scene(rng)
        question = sample_question(rng, scene)
        buffer = BytesIO()
        Image.fromarray(render(scene)).save(buffer, "PNG")
        yield Drawn(question.text, tuple(question.options), question.answer, buffer.getvalue())
