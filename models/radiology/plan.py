"""Sizes of the stages: the full recipe, and one of seconds that tests the machinery."""

from __future__ import annotations

from dataclasses import dataclass

from models.radiology.data.features import ViewPlan
from models.radiology.training.loop import LoopSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything.

    Attributes:
        views: Views of each picture.
        align_steps: Steps of the projector's alignment.
        answers: Stage one.
        confidence: Stage two.
        confidence_again: Stage two once more, from a raised learning rate (a warm restart; arXiv 1608.03983).
        labelled: Training questions whose own answers stage two learns from, with clean or augmented views.
        labelled_spoilt: The same with spoilt views, of kinds that the picture answers.
        held: Validation questions that checkpoints are chosen by.
        gate: Validation questions that hints are tried on.
        policy: The policy's supervised training.
        other_pictures: Pictures of each other kind that the reference inputs learn from.
    """

    views: ViewPlan
    align_steps: int
    answers: LoopSettings
    confidence: LoopSettings
    confidence_again: LoopSettings
    labelled: int
    labelled_spoilt: int
    held: int
    gate: int
    policy: LoopSettings
    other_pictures: int


FULL = Plan(
    views=ViewPlan(),
    align_steps=160,
    answers=LoopSettings(60, check_from=36, check_every=8),
    confidence=LoopSettings(50, projector_rate=1e-4, adapter_rate=5e-4, check_from=30, check_every=10),
    confidence_again=LoopSettings(120, projector_rate=1e-4, adapter_rate=6e-4, check_from=60, check_every=20),
    labelled=420,
    labelled_spoilt=220,
    held=128,
    gate=140,
    policy=LoopSettings(32, batch=16, adapter_rate=1e-3, check_from=24, check_every=8),
    other_pictures=120,
)
FAST = Plan(
    views=ViewPlan(1, 1, 1),
    align_steps=2,
    answers=LoopSettings(2, batch=4, check_from=1, check_every=1),
    confidence=LoopSettings(2, batch=4, check_from=1, check_every=1),
    confidence_again=LoopSettings(2, batch=4, check_from=1, check_every=1),
    labelled=12,
    labelled_spoilt=6,
    held=8,
    gate=8,
    policy=LoopSettings(2, batch=4, check_from=1, check_every=1),
    other_pictures=1,
)
