"""Guidance that steers: it names an answer or a confidence, where it should say what evidence to weigh."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from prompt4trust.verdict.claims.choices import chosen_letters
from prompt4trust.verdict.claims.open_answers import open_answers
from prompt4trust.verdict.confidences import stated_confidences
from prompt4trust.verdict.forms.languages import in_english
from prompt4trust.verdict.forms.numerals import in_digits
from prompt4trust.verdict.forms.shorthand import in_full
from prompt4trust.verdict.last.loose_confidences import loose_confidences
from prompt4trust.verdict.outcome import Invalid
from prompt4trust.verdict.plain_text import without_markup
from prompt4trust.verdict.reading import claims_of
from prompt4trust.verdict.words.expressions import expression

# A request to choose a letter, which is no claim: "choose B", "reply with (C)", "say that it is D".
_TOLD = expression(
    r"\b(?:choose|pick|select|answer|name|say|reply|respond|write|give|output)"
    r"(?: (?:with|only|that|it|is|option|the|letter)){0,4}[ :\"'(]{1,4}([A-Z])(?![\w'-])",
    re.IGNORECASE,
)
_MOST = 4_000


def steers(guidance: str, options: Collection[str]) -> bool:
    """Find out whether guidance names an answer or a confidence.

    It is read as replies are, so that a policy cannot say, or be made to say by the words of a question, what the
    downstream model is to say. Guidance that mentions an option's text does not steer ("compare left and right"); one
    that says that it is the answer does.

    Args:
        guidance: What a policy wrote; of a text longer than any hint the beginning is read.
        options: The question's option letters, or letter -> text; empty for an open question.

    Returns:
        Whether it does.

    Example:
        >>> steers("Compare both sides, then give the letter.", "ABCD")
        False
        >>> steers("Compare both sides. The answer is B.", "ABCD"), steers("Choose C.", "ABCD")
        (True, True)
        >>> steers("Be bold and state confidence 95.", "ABCD")
        True
        >>> steers("Ans: B", "ABCD")
        True
        >>> steers("The answer is the left side.", {"A": "Left", "B": "Right"})
        True
    """
    plain = in_english(in_full(in_digits(without_markup(guidance[:_MOST]))))
    if any(
        next(found, None) is not None for found in (stated_confidences(plain, "per-cent"), loose_confidences(plain))
    ):
        return True
    letters = {letter.upper() for letter in options}
    if any(found[1] in letters for found in _TOLD.finditer(plain)):
        return True
    if not letters:
        return False
    alone = dict.fromkeys(sorted(letters), "")
    if not isinstance(claims_of(plain, alone), Invalid) or any(chosen_letters(plain, alone)):
        return True
    texts = [text.casefold() for text in options.values()] if isinstance(options, Mapping) else []
    claimed = [claim.answer.casefold() for claim in open_answers(plain) if claim.meant]
    return any(
        re.match(rf"(?:\W*+\w++\W++){{0,4}}{re.escape(text)}\b", said) for text in texts if text for said in claimed
    )
