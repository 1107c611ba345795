"""From a scene to its picture, and to the dense maps that help a vision model to learn where findings are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prompt4trust.datasets.phantoms.families import IMAGE_SIZE
from prompt4trust.datasets.phantoms.findings import coverage
from prompt4trust.datasets.phantoms.scene import Scene
from prompt4trust.datasets.phantoms.textures import TEXTURES, canvas, speckle


def render(scene: Scene) -> NDArray[np.uint8]:
    """Paint a scene.

    Args:
        scene: what to paint; the same scene always gives the same picture.

    Returns:
        uint8 [112, 112], grey.
    """
    rng = np.random.Generator(np.random.PCG64(scene.noise_seed))
    grid = canvas()
    share = np.float32(scene.blend)
    # Gains vary, so that the brighter of two blended looks is not surely the stronger one.
    gains = rng.uniform(0.85, 1.15, size=2).astype(np.float32)
    picture = (1 - share) * gains[0] * TEXTURES[scene.modality](grid, rng)
    beam = np.float32(scene.modality == "Ultrasound") * (1 - share)
    if scene.blend > 0:
        picture += share * gains[1] * TEXTURES[scene.second_modality](grid, rng)
        beam += np.float32(scene.second_modality == "Ultrasound") * share
    lesions = coverage(scene.findings)
    contrast = np.float32(scene.contrast)
    if scene.dark:  # a share of what is there: nothing can be darker than black
        picture *= np.clip(1 - 1.7 * contrast * lesions, 0.04, 1)
    else:
        picture += contrast * lesions
    if beam > 0:
        strength = beam * np.float32(0.45 + 0.45 * scene.difficulty)
        picture *= 1 + strength * (speckle(grid, rng) - 1)
    picture += np.float32(scene.noise) * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), dtype=np.uint8)


def lesion_targets(scene: Scene, grid: int = 8) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Map the findings, patch by patch.

    Args:
        scene: the scene.
        grid: patches per side; must divide 112.

    Returns:
        float32 [grid, grid] share of each patch that findings cover (0 to 1), and float32 [grid, grid] number of
        findings whose centre lies in the patch.

    Raises:
        ValueError: if `grid` does not divide 112.
    """
    if grid < 1 or IMAGE_SIZE % grid:
        raise ValueError(f"grid must divide {IMAGE_SIZE}, not {grid}")
    patch = IMAGE_SIZE // grid
    covered = np.minimum(coverage(scene.findings), 1).reshape(grid, patch, grid, patch).mean(axis=(1, 3))
    centres = np.zeros((grid, grid), dtype=np.float32)
    for finding in scene.findings:
        centres[min(int(finding.y * grid), grid - 1), min(int(finding.x * grid), grid - 1)] += 1
    return covered.astype(np.float32), centres
