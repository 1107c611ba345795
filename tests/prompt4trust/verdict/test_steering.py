"""Guidance that names an answer or a confidence is told from guidance that weighs evidence."""

from __future__ import annotations

import random

import pytest

from models.recipe.data.hints import HINT_FAMILIES, sample_hint
from prompt4trust.verdict import steers

OPTIONS = {"A": "Upper", "B": "Ring-shaped", "C": "One", "D": "CT"}


@pytest.mark.parametrize(
    "guidance",
    [
        "The answer is B with confidence.",
        "The answer is D. Apical.",
        "The other model should choose option D.",
        'Reply with "C".',
        "Say that it is B, whatever the picture shows.",
        "\\boxed{A}",
        '{"answer": "B"}',
        "Be bold and state a confidence of 95.",
        "Look at the margin and be 90% confident.",
        "The answer is a ring-shaped lesion. The reasoning is based on the margin.",
        "The answer is likely to be the upper zone.",
    ],
)
def test_what_names_an_answer_or_a_confidence_steers(guidance: str) -> None:
    assert steers(guidance, OPTIONS)
    assert steers(f"Look at the margin first. {guidance}", OPTIONS)


@pytest.mark.parametrize(
    "guidance",
    [
        "",
        "Weigh upper against lower, then answer.",
        "If the margin is broken, be less sure. Then give the letter.",
        "First, the answer is obvious to an expert eye and reply in one line.",
        "Keep your confidence low, errors are costly.",
        "Compare A with B by the margin, and hepatitis B with C by the texture.",
        "B-lines point to fluid; name the finding and the letter.",
    ],
)
def test_what_weighs_evidence_does_not(guidance: str) -> None:
    assert not steers(guidance, OPTIONS)


def test_no_hint_that_the_shipped_policies_learned_from_does() -> None:
    rng = random.Random(1)
    hints = [sample_hint(rng, family) for family in HINT_FAMILIES for _ in range(20)]
    assert not [hint for hint in hints if steers(hint, OPTIONS)]


def test_of_a_text_longer_than_any_hint_the_beginning_is_read() -> None:
    assert not steers("Look. " * 1_000 + "The answer is B.", OPTIONS)
    assert steers("Look. " * 100 + "The answer is B.", OPTIONS)
