"""Training sequences for the downstream model: phantoms, bare look-ups, and what is no phantom."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from models.recipe.data.hints import HINT_FAMILIES, sample_hint
from models.recipe.data.strange_text import STRANGE_WORDS, odd_text
from models.recipe.data.text import UNCLEAR, Row, answer_prompt, lettered, reply_text, shuffled
from prompt4trust.datasets.phantoms import FAMILIES
from prompt4trust.datasets.phantoms.questions import TRAIN_WORDINGS
from prompt4trust.prompts import PromptTemplate

ODD = "odd"  # a hint that means nothing
_VALUES = tuple(value for values in FAMILIES.values() for value in values)
_OPTION_COUNTS, _COUNT_ODDS = (2, 3, 4, 5), (22, 20, 36, 22)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a picture with its options, before a reply is known.

    Attributes:
        family: question family; empty for a question that is none of the benchmark's.
        question: the wording.
        options: option texts in the order shown.
        gold: index of the right option, None where there is none.
    """

    family: str
    question: str
    options: tuple[str, ...]
    gold: int | None


def count_options(rng: random.Random) -> int:
    """Draw a number of options from 2 to 5."""
    return rng.choices(_OPTION_COUNTS, _COUNT_ODDS)[0]


def ask_phantom(rng: random.Random, labels: Sequence[int], family: str | None = None) -> Asked:
    """Draw a question about a phantom.

    Args:
        rng: source of randomness.
        labels: index of each family's gold value, -100 where undefined.
        family: the question family; drawn among the defined ones if None.
    """
    names = list(FAMILIES)
    if family is None:
        family = rng.choice([name for name, label in zip(names, labels, strict=True) if label >= 0])
    values = FAMILIES[family]
    gold = values[labels[names.index(family)]]
    others = shuffled(rng, [value for value in values if value != gold])
    options = shuffled(rng, [gold, *others[: count_options(rng) - 1]])
    # Now and then the question says nothing, so that the options are read too.
    question = odd_text(rng, rng.randint(1, 8)) if rng.random() < 0.04 else rng.choice(TRAIN_WORDINGS[family])
    return Asked(family, question, tuple(options), options.index(gold))


def ask_foreign(rng: random.Random) -> Asked:
    """Draw a question whose options are none of the benchmark's values: 2 to 8 made-up ones, now and then up to 26."""
    count = rng.randint(9, 26) if rng.random() < 0.1 else rng.randint(2, 8)
    longest = rng.choice((1, 1, 3)) if count < 9 else 1
    options = tuple(odd_text(rng, rng.randint(1, longest)) for _ in range(count))
    if rng.random() < 0.5:
        question = odd_text(rng, rng.randint(1, 8))
    else:
        question = rng.choice(TRAIN_WORDINGS[rng.choice(list(FAMILIES))])
    return Asked("", question, options, None)


def ask_stranger(rng: random.Random) -> Asked:
    """Draw a question of the benchmark or none, with options in words of another world, as a passer-by would type."""
    count = count_options(rng) if rng.random() < 0.7 else rng.randint(6, 10)
    options: list[str] = []
    while len(options) < count:
        option = _stranger(rng)
        if option not in options:
            options.append(option)
    family = rng.choice(list(FAMILIES))
    question = rng.choice(TRAIN_WORDINGS[family]) if rng.random() < 0.7 else odd_text(rng, rng.randint(1, 8))
    return Asked(family, question, tuple(options), None)


def _stranger(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.15:
        text = f"{rng.randint(1, 300)}{rng.choice(('', ' cm', ' %', ' years', ' HU'))}"
    elif draw < 0.25:
        text = odd_text(rng, rng.randint(1, 3))
    elif draw < 0.3:
        text = rng.choice("ACDEFGHJKLMNOPQRSTUVWXYZ")
    else:
        text = " ".join(rng.choice(STRANGE_WORDS) for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4, 6))))
    return rng.choice((text, text, text.capitalize(), text.upper(), text.title()))


def endless_word(rng: random.Random) -> str:
    """Make a hint of one sign without end."""
    return rng.choice("abcdefghijklmnopqrstuvwxyz0123456789-_.!?") * rng.randint(30, 300)


def open_row(template: PromptTemplate, asked: Asked, hint: str, confidence: int, features: int) -> Row:
    """Make the sequence of a question asked without options: the answer is the gold value itself."""
    if asked.gold is None:
        raise ValueError("an open question needs a gold value")
    value = asked.options[asked.gold]
    prompt = answer_prompt(template, asked.question, {}, hint)
    return Row(prompt, reply_text(value, value, confidence), (), value, None, features)


def draw_hint(rng: random.Random, family: str) -> str:
    """Draw training wording of a hint family, or text without meaning for ODD."""
    if family != ODD:
        return sample_hint(rng, family)
    return odd_text(rng, rng.randint(7, 40) if rng.random() < 0.15 else rng.randint(1, 6))


def any_hint(rng: random.Random) -> str:
    """Draw a hint family: none in half of the cases, else any of them or odd text."""
    return "none" if rng.random() < 0.5 else rng.choice((*HINT_FAMILIES[1:], ODD))


def lookup_row(rng: random.Random, template: PromptTemplate, features: int | None = None) -> Row:
    """Make a bare look-up: the finding is given, only the letter is learned; what the picture shows does not count."""
    draw = rng.random()
    if draw < 0.6:
        options = shuffled(rng, rng.choice(list(FAMILIES.values())))[: count_options(rng)]
    else:
        options = rng.sample(_VALUES, count_options(rng) if draw < 0.9 else rng.randint(6, 10))
    answer = rng.randrange(len(options))
    question = rng.choice(TRAIN_WORDINGS[rng.choice(list(FAMILIES))])
    asked = Asked("", question, tuple(options), answer)
    row = answer_row(template, asked, draw_hint(rng, any_hint(rng)), answer, default_confidence(rng), features)
    row.learn_finding = row.learn_confidence = False
    return row


def default_confidence(rng: random.Random) -> int:
    """Draw the overconfident default."""
    return rng.randint(86, 99)


def answer_row(
    template: PromptTemplate, asked: Asked, hint: str, answer: int | None, confidence: int, features: int | None
) -> Row:
    """Make the sequence of a question with its reply.

    Args:
        template: the downstream model's prompt template.
        asked: the question.
        hint: guidance, "" for none.
        answer: index of the option that the reply chooses; None: the finding is unclear and the letter arbitrary.
        confidence: stated confidence, 1 to 99.
        features: index of the picture's image tokens; None for a prompt without a picture.
    """
    options = lettered(asked.options)
    letters = list(options)
    prompt = answer_prompt(template, asked.question, options, hint, image=features is not None)
    if answer is None:
        # Any letter is as good: one that depends on the text alone can be learned, the first is the plainest.
        return Row(prompt, reply_text(UNCLEAR, letters[0], confidence), asked.options, UNCLEAR, None, features)
    finding = asked.options[answer]
    return Row(prompt, reply_text(finding, letters[answer], confidence), asked.options, finding, answer, features)
