"""Several guesses with a probability each, read from a reply that lists them a line each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prompt4trust.verdict.outcome import CUT_OFF, DECLINED, Invalid
from prompt4trust.verdict.plain_text import without_markup, without_thoughts
from prompt4trust.verdict.words.expressions import expression

_LINE = expression(
    r"(?:(?:\d{1,2}[.)]|[-\u2022\u2013]) ?)?"  # its place in the list
    r"(?P<answer>[^\n:=]{1,200}?) ?[:=] ?"
    r"(?P<number>\d{1,3}(?:\.\d{1,6})?|\.\d{1,6}) ?(?P<sign>%|per ?cent)?[.,;]?",
    re.IGNORECASE,
)
_LETTER = expression(r"(?:option |answer )?\(?([A-Za-z])\)?(?:[.)]? ?[-\u2013\u2014]? ?(?P<text>\S.*))?", re.IGNORECASE)
_HEADING = expression(r"[^\d\n]{1,120}:")
_MOST_LINES = 40


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess of a model.

    Attributes:
        answer: The option's letter, upper case; for an open question the answer's text.
        probability: What the model gives it, in [0, 1].
    """

    answer: str
    probability: float


def read_guesses(
    text: str, options: Mapping[str, str], most: int, *, question: str = "", finish_reason: str = "stop"
) -> tuple[Guess, ...] | Invalid:
    r"""Read a list of guesses, or nothing: every line has to be a guess, save one heading that ends in a colon.

    Numbers are per cent where one has the sign or is above 1; otherwise they are probabilities, if one has a decimal
    point. A reply with the sign behind some numbers alone, and one whose numbers may be either, is not read.

    Args:
        text: Anything at all.
        options: Letter -> text; empty for an open question.
        most: Guesses that were asked for.
        question: The question's text: one with such a line in it could not be told from a reply that repeats it.
        finish_reason: The server's word for why the text ended.

    Returns:
        The guesses, the likeliest first, those of one probability in the order of the reply, their probabilities
        divided by their sum where that is above 1; or why there are none. Never raises.

    Example:
        >>> read_guesses("B: 60%\nA: 25%", {"A": "Left", "B": "Right"}, 2)
        (Guess(answer='B', probability=0.6), Guess(answer='A', probability=0.25))
        >>> read_guesses("B: 60%, or perhaps A", {"A": "Left", "B": "Right"}, 2)
        Invalid(reason='no_answer')
    """
    if not text or text.isspace():
        return Invalid("empty")
    if finish_reason.lower() == DECLINED:
        return Invalid("no_answer")
    if any(_LINE.fullmatch(line) for source in (question, *options.values()) for line in _lines(source)):
        return Invalid("leading_question")
    said = without_thoughts(text)
    if said is None or finish_reason.lower() in CUT_OFF:
        return Invalid("cut_off")
    lines = _lines(without_markup(said))
    if len(lines) > 1 and _HEADING.fullmatch(lines[0]):
        lines = lines[1:]
    found = [_LINE.fullmatch(line) for line in lines[:_MOST_LINES]]
    listed = [each for each in found if each is not None]
    if not listed or len(listed) < len(lines):
        return Invalid("no_answer")
    answers = [_answer(each["answer"].strip(" \"'“”"), options) for each in listed]
    named = [answer for answer in answers if answer is not None]
    if len(named) < len(answers):
        return Invalid("unknown_option")
    if len({answer.casefold() for answer in named}) < len(named) or len(named) > most:
        return Invalid("ambiguous")
    probabilities = _probabilities([each["number"] for each in listed], [bool(each["sign"]) for each in listed])
    if probabilities is None:
        return Invalid("no_confidence")
    total = max(sum(probabilities), 1.0)
    guesses = [Guess(answer, value / total) for answer, value in zip(named, probabilities, strict=True)]
    return tuple(sorted(guesses, key=lambda guess: -guess.probability))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _answer(written: str, options: Mapping[str, str]) -> str | None:
    """Name the option that a guess means, an open question's answer as it is; None where that is no option's."""
    if not options:
        return " ".join(written.split()) or None
    letters = {letter.upper(): text.casefold().strip(" .") for letter, text in options.items()}
    found = _LETTER.fullmatch(written)
    if found is None or (letter := found[1].upper()) not in letters:
        return None
    beside = found["text"]
    return letter if beside is None or beside.casefold().strip(" .()") == letters[letter] else None


def _probabilities(numbers: Sequence[str], signs: Sequence[bool]) -> list[float] | None:
    """Turn the numbers of a reply into probabilities by one scale for all; None where that is not clear."""
    values = [float(number) for number in numbers]
    if all(signs) or (not any(signs) and max(values) > 1 and all(value > 1 or value == 0 for value in values)):
        return [value / 100 for value in values] if max(values) <= 100 else None
    pointed = any("." in number for number in numbers)
    return values if not any(signs) and pointed and max(values) <= 1 else None
