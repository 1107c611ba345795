"""Lengths and amounts of data of all stages: the shipped models' plan, and a tiny one to test the machinery."""

from dataclasses import dataclass

from models.recipe.training.language import LanguageSettings
from models.recipe.training.vision import VisionSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of all stages.

    Attributes:
        corpus_rounds: prompts that the tokenizer learns from.
        vision, lookup, answers, answers_again, confidence, confidence_again, policy, conftuner: the stages' length and
            step size.
        easy_pictures, vision_pictures: stage V's training sets.
        answer_pictures, foreign_pictures: stage A's pictures, each time all new.
        confidence_pictures: stage B's, each time new again.
        exam: questions of the final measurements; smaller conditions take a part.
    """

    corpus_rounds: int
    vision: VisionSettings
    lookup: LanguageSettings
    answers: LanguageSettings
    answers_again: LanguageSettings
    confidence: LanguageSettings
    confidence_again: LanguageSettings
    policy: LanguageSettings
    conftuner: LanguageSettings
    easy_pictures: int
    vision_pictures: int
    answer_pictures: int
    foreign_pictures: int
    confidence_pictures: int
    exam: int


FULL = Plan(
    corpus_rounds=1500,
    vision=VisionSettings(),
    lookup=LanguageSettings(steps=900, batch=48, guidance=1.0, guided_share=0.8),
    answers=LanguageSettings(
        steps=1000, batch=48, learning_rate=1e-3, guidance=0.3, guided_share=1.0, key_weight=8.0, digit_weight=0.3
    ),
    answers_again=LanguageSettings(
        steps=700, batch=48, learning_rate=8e-4, guidance=0.1, guided_share=1.0, key_weight=8.0, digit_weight=0.3
    ),
    confidence=LanguageSettings(
        steps=700, batch=48, learning_rate=8e-4, guidance=0.2, guided_share=1.0, digit_weight=4.0
    ),
    confidence_again=LanguageSettings(
        steps=500, batch=48, learning_rate=6e-4, guidance=0.1, guided_share=1.0, digit_weight=4.0
    ),
    policy=LanguageSettings(steps=1600, batch=48, learning_rate=2e-3),
    conftuner=LanguageSettings(steps=200, batch=16, learning_rate=5e-5, warmup=20),
    easy_pictures=16_000,
    vision_pictures=45_000,
    answer_pictures=24_000,
    foreign_pictures=1_500,
    confidence_pictures=10_000,
    exam=2_000,
)

# Batches of two: that every stage runs shows on two rows as on eight, in less than half of the time.
_FEW = LanguageSettings(steps=3, batch=2, guidance=1.0)
FAST = Plan(
    corpus_rounds=150,
    vision=VisionSettings(easy_steps=2, steps=4, batch=4),
    lookup=_FEW,
    answers=_FEW,
    answers_again=_FEW,
    confidence=_FEW,
    confidence_again=_FEW,
    policy=_FEW,
    conftuner=LanguageSettings(steps=2, batch=2),
    easy_pictures=16,
    vision_pictures=16,
    answer_pictures=24,
    foreign_pictures=4,
    confidence_pictures=24,
    exam=4,
)
