"""Questions that the radiology pair was not made for, to try whether its reference tells them about a usual picture."""

from __future__ import annotations

from typing import Final

import numpy as np

from prompt4trust.datasets.phantoms import sample_scene
from prompt4trust.datasets.phantoms.families import MODALITIES
from prompt4trust.datasets.phantoms.questions import sample_question

Odd = tuple[str, tuple[str, ...]]
"""A question and its options."""

OFF_TOPIC: Final[tuple[Odd, ...]] = (
    ("Who won the football match yesterday evening?", ("The home team", "The guests", "Neither")),
    ("What is the capital of Australia?", ("Sydney", "Canberra", "Perth")),
    ("Which train goes to the airport tonight?", ("The first", "The second")),
    ("How do I reset my password?", ("By mail", "By telephone")),
    ("What is the weather like tomorrow?", ("Rain", "Sun", "Snow")),
    ("Which of these cars is the fastest?", ("The red one", "The blue one")),
    ("What colour is the sofa?", ("Green", "Grey", "Brown")),
    ("Is this restaurant open on Sundays?", ("Yes", "No")),
    ("How many legs does the dog have?", ("Three", "Four")),
    ("Translate this sentence into French.", ("Bonjour", "Merci")),
    ("Which stock should I buy?", ("Steel", "Oil", "Neither")),
    ("Is the cat asleep?", ("Yes", "No")),
)
"""Nothing to do with medicine."""

NEAR_MISSES: Final[tuple[Odd, ...]] = (
    ("Which drug comes first?", ("Aspirin", "Heparin", "Warfarin")),
    ("What dose of gentamicin should be given?", ("80 mg", "240 mg", "400 mg")),
    ("Can this patient go home today?", ("Yes", "No")),
    ("Is the patient allergic to penicillin?", ("Yes", "No")),
    ("What is the grade of this retinopathy?", ("Mild", "Moderate", "Severe")),
    ("Which mutation does this tumour carry?", ("BRAF", "KRAS", "EGFR")),
    ("Does the electrocardiogram show atrial fibrillation?", ("Yes", "No")),
    ("How long will the patient live?", ("Months", "Years")),
    ("Is this mole malignant?", ("Yes", "No")),
    ("What was the patient's blood pressure?", ("120/80", "160/100")),
)
"""Of medicine, and not to be read off a radiograph."""


def phantom_questions(n: int = 60, seed: int = 7) -> tuple[Odd, ...]:
    """Draw different questions of Phantom-VQA, in wordings of its training.

    Args:
        n: Questions drawn; the same one counts once.
        seed: Their seed.
    """
    rng = np.random.default_rng(seed)
    drawn = (sample_question(rng, sample_scene(rng, MODALITIES)) for _ in range(n))
    return tuple(dict.fromkeys((each.text, tuple(sorted(each.options))) for each in drawn))
