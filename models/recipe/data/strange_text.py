"""Text that no phantom asks about, so that replies keep their form whatever comes in."""

import random

_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ren",
    "tu",
    "sol",
    "vex",
    "ba",
    "ni",
    "qua",
    "zor",
    "pel",
    "dra",
    "e",
    "th",
    "ing",
    "or",
)
_MARKS = (" ", " ", " ", " ", ", ", ". ", "! ", " - ", " 42 ", " / ", "? ", "\u00e9 ", "\u2014", "\u4e2d ", ": ")


# What a passer-by may type as an option: the benchmark knows none of these.
_STRANGE = (
    "fracture cyst abscess oedema pneumonia effusion tumour lymphoma sarcoma carcinoma glioma stroke bleed aneurysm "
    "thrombus stenosis calculus hernia nodule lesion opacity shadow artifact implant normal abnormal benign malignant "
    "acute chronic old new mild severe likely unlikely probably yes no maybe unknown other both neither nothing "
    "liver kidney spleen lung heart brain spine knee ankle wrist shoulder rib skull femur pelvis bowel stomach bladder "
    "artery vein nerve muscle bone tendon disc joint in of the with without and or on at a an not first second third "
    "anterior posterior lateral axial coronal sagittal contrast dose scan view patient woman man child adult "
    "red green blue white black cat dog house tree water"
)
STRANGE_WORDS = tuple(_STRANGE.split())


def odd_text(rng: random.Random, words: int) -> str:
    """Make text that means nothing, so that replies keep their form whatever comes in.

    Args:
        rng: source of randomness.
        words: number of made-up words, at least 1.
    """
    text = ""
    for _ in range(words):
        word = "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 4)))
        text += (word.capitalize() if rng.random() < 0.3 else word) + rng.choice(_MARKS)
    return text.strip() or "ka"
