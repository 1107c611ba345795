"""Phantom-VQA: procedural look-alikes of medical pictures with multiple-choice questions; no use in a clinic.

The pictures are frozen: the shipped models and calibrators were fitted on them. Whoever changes a look, a class border
or the order of random draws must train and fit anew.
"""

from prompt4trust.datasets.phantoms.families import FAMILIES, IMAGE_SIZE
from prompt4trust.datasets.phantoms.findings import Finding
from prompt4trust.datasets.phantoms.generator import SPLITS, generate
from prompt4trust.datasets.phantoms.questions import PhantomQuestion, sample_question
from prompt4trust.datasets.phantoms.rendering import lesion_targets, render
from prompt4trust.datasets.phantoms.scene import Scene, sample_scene
from prompt4trust.errors import PhantomError

__all__ = [
    "FAMILIES",
    "IMAGE_SIZE",
    "SPLITS",
    "Finding",
    "PhantomError",
    "PhantomQuestion",
    "Scene",
    "generate",
    "lesion_targets",
    "render",
    "sample_question",
    "sample_scene",
]
