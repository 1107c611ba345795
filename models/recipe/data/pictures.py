"""Training pictures: phantoms of the train split with all that is known about them, and pictures that are none."""

import random
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from models.recipe.networks.architecture import GRID
from prompt4trust.datasets.phantoms import FAMILIES, IMAGE_SIZE, Scene, lesion_targets, render, sample_scene
from prompt4trust.datasets.phantoms.generator import split_rng

SHAPE_NAMES = FAMILIES["shape"]
UNDEFINED = -100
EASY = 0.3


@dataclass(frozen=True, slots=True)
class Pictures:
    """A set of pictures and labels.

    Attributes:
        pixels: uint8 [n, 112, 112], grey.
        labels: int64 [n, 6], index of each family's gold value in the order of FAMILIES, -100 where undefined.
        cells: float32 [n, 8, 8, 4], per patch: coverage, number of centres, log radius of the last centre, and its
            shape's index (-1 without a centre).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    cells: NDArray[np.float32]


def scene_labels(scene: Scene) -> list[int]:
    """Index of each family's gold value, -100 where the scene leaves it undefined."""
    golds = scene.values
    return [values.index(gold) if (gold := golds[name]) else UNDEFINED for name, values in FAMILIES.items()]


def scene_cells(scene: Scene) -> NDArray[np.float32]:
    """Describe a scene patch by patch: see `Pictures.cells`."""
    coverage, centres = lesion_targets(scene, GRID)
    cells = np.zeros((GRID, GRID, 4), dtype=np.float32)
    cells[..., 0], cells[..., 1], cells[..., 3] = coverage, centres, -1
    for finding in scene.findings:
        place = min(int(finding.y * GRID), GRID - 1), min(int(finding.x * GRID), GRID - 1)
        cells[place][2] = np.log(finding.radius)
        cells[place][3] = SHAPE_NAMES.index(finding.shape)
    return cells


def _draw(task: tuple[int, int, int, bool]) -> Pictures:
    seed, start, stop, easy = task
    scenes = []
    for index in range(start, stop):
        rng = split_rng(seed, "train", index)
        scenes.append(sample_scene(rng, difficulty=float(rng.uniform(0, EASY)) if easy else None))
    return Pictures(
        np.stack([render(scene) for scene in scenes]),
        np.array([scene_labels(scene) for scene in scenes], dtype=np.int64),
        np.stack([scene_cells(scene) for scene in scenes]),
    )


def draw_pictures(n: int, seed: int, start: int = 0, *, easy: bool = False, processes: int = 2) -> Pictures:
    """Make pictures of the train split, in order, whatever the number of processes.

    Args:
        n: how many.
        seed: the benchmark's seed; only the train split's streams are used.
        start: index of the first picture, so that stages can take fresh ones.
        easy: only plain pictures, difficulty uniform up to EASY: a tower learns what to look for on these much sooner.
        processes: worker processes.
    """
    step = 500
    tasks = [(seed, at, min(at + step, start + n), easy) for at in range(start, start + n, step)]
    if len(tasks) == 1:
        return _draw(tasks[0])
    with get_context("spawn").Pool(processes) as pool:
        parts = pool.map(_draw, tasks)
    return Pictures(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.cells for part in parts]),
    )


def foreign_picture(rng: random.Random) -> NDArray[np.uint8]:
    """Make a picture that is no phantom: blank, noise, a gradient, stripes or blocks.

    Returns:
        uint8 [112, 112], grey.
    """
    noise = np.random.default_rng(rng.getrandbits(32))
    rows, columns = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE] / IMAGE_SIZE
    kind = rng.randrange(5)
    if kind == 0:
        picture = np.full((IMAGE_SIZE, IMAGE_SIZE), rng.random())
    elif kind == 1:
        picture = noise.random((IMAGE_SIZE, IMAGE_SIZE))
    elif kind == 2:
        angle = rng.uniform(0, 2 * np.pi)
        picture = 0.5 + 0.5 * (np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.5))
    elif kind == 3:
        angle, waves = rng.uniform(0, np.pi), rng.uniform(2, 20)
        picture = 0.5 + 0.5 * np.sin(2 * np.pi * waves * (np.cos(angle) * rows + np.sin(angle) * columns))
    else:
        size = rng.choice((4, 7, 8, 14, 16, 28))
        picture = np.kron(noise.random((IMAGE_SIZE // size, IMAGE_SIZE // size)), np.ones((size, size)))
    picture = picture + rng.uniform(0, 0.08) * noise.standard_normal((IMAGE_SIZE, IMAGE_SIZE))
    grey: NDArray[np.uint8] = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return grey
