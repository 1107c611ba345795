"""An outcome of one guided question, made up."""

from __future__ import annotations

from prompt4trust.questions import Question
from prompt4trust.verdict import Invalid, Verdict
from services.trainer.grpo.scoring import GuidedOutcome

QUESTION = Question("q", "Number?", {"A": "x", "B": "y"}, "A")


def outcome(answer: str | None, confidence: float = 0.0, reward: float | None = 0.0) -> GuidedOutcome:
    verdict = Invalid("no_answer") if answer is None else Verdict(answer, confidence)
    return GuidedOutcome(QUESTION, "hint", "reply", None if reward is None else verdict, reward, 0.1, 5)
