"""The tokenizer's training texts: prompts, hints and replies in about the proportions that the models meet."""

import random
from collections.abc import Iterator

from models.recipe.data.hints import HINT_FAMILIES, QUESTION_FAMILIES, sample_hint
from models.recipe.data.text import ANSWER_TEMPLATE, GUIDE_TEMPLATE, UNCLEAR, lettered, reply_text, shuffled
from prompt4trust.datasets.phantoms import FAMILIES
from prompt4trust.datasets.phantoms.questions import TRAIN_WORDINGS
from prompt4trust.prompts import answer_messages, guide_messages, load_template

VOCABULARY = 1200

# English beyond the benchmark, so that unknown text costs fewer tokens than letters.
_GENERAL = (
    "the of and to in is are was with that for it as be on by this not or from which what when where how many much "
    "does patient image scan chest lung heart liver brain spine knee hip arm leg head neck abdomen pelvis tumor mass "
    "nodule fracture effusion lesion infection disease normal abnormal likely diagnosis treatment none all above below "
    "more less"
)


def training_texts(seed: int, rounds: int = 3000) -> Iterator[str]:
    """Yield texts to learn the vocabulary from.

    Args:
        seed: of the draw.
        rounds: how many prompts, replies and hints of each family.
    """
    rng = random.Random(seed)
    answer, guide = load_template(ANSWER_TEMPLATE), load_template(GUIDE_TEMPLATE)
    for turn in range(rounds):
        family = rng.choice(QUESTION_FAMILIES)
        options = lettered(shuffled(rng, FAMILIES[family]))
        question = rng.choice(TRAIN_WORDINGS[family])
        hint = sample_hint(rng, rng.choice(HINT_FAMILIES))
        template, messages = (answer, answer_messages) if turn % 2 else (guide, guide_messages)
        for message in messages(template, question, options):
            yield str(message["content"])
        letter = rng.choice("ABCDEFGHIJ")
        yield from (hint, *(sample_hint(rng, rng.choice(HINT_FAMILIES)) for _ in range(4)))
        yield reply_text(rng.choice((*options.values(), UNCLEAR)), letter, rng.randint(1, 99))
        if turn % 20 == 0:
            yield _GENERAL
