"""Answers to questions of yes or no, and of a number, in the words in which they are given.

"Yes, there is cardiomegaly" and "Answer: No. There is none" begin with the option's text and go on with a sentence
that agrees; "Answer: 3" gives an option's text that is a number. Both are looked for where nothing plainer is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from prompt4trust.verdict.claims.claim import MOST_CLAIMS, Claim
from prompt4trust.verdict.claims.letters import CUE
from prompt4trust.verdict.claims.standing import is_meant
from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

# Courtesies and refusals begin with the same words: "Yes, there is an image", "No, there is no doubt".
_OTHERWISE = (
    r"(?![^.\n]*\b(?:images?|pictures?|photos?|scans?|films?|files?|attach\w*|options?|questions?|doubt\w*|sure"
    r"|certain\w*"
    r"|clear\w*|enough|insufficient|information|way|need|problem|reason|help|only|but|however|although|though"
    r"|except|yet"
    r"|while|whereas|if|unless|yes|maybe|limit\w*|arte?fact\w*|room|errors?|chances?|possib\w*|difficult\w*"
    r"|overlap|noise"
    r"|text|labels?|views?|data|context|history|patients?|some|much|more|many|uncertain\w*|risks?|unlikely"
    r"|quality|answers?|confiden\w*)\b)"
)
# At the reply's beginning, or behind its label.
_BEGINS = r"(?:\A\W{0,3}|^(?P<label>(?:final |my )?answer) ?[:=] ?)"
_CLOSES = r"(?=[.!](?:\s|\Z)|\n)"
_SURE_NEXT = (
    r"(?=[.!]?\s{0,2}(?:(?:my )?(?:confidence|certainty)|I(?:['’]m| am) (?:about |around |roughly )?\d|\d{1,3} ?%))"
)
# What a clause that says no more than yes may not hold: a denial, and what makes a finding another or none.
_DENIES = (
    rf"(?![^.\n]*(?:n['’]t|{words_at(Place.YES_ALONE)}"
    r"|\b(?:requests?|tasks?|instructions?|prompts?|messages?|inputs?|points?|concerns?)\b))"
)
_YES = expression(
    rf"{_BEGINS}(?P<said>yes)[,.] {_OTHERWISE}{_DENIES}(?:there (?:is|are) [^.!?;:\n]{{2,120}}"
    rf"|(?:an?|the) [^.,!?;:()\n]{{2,60}}? (?:is|are) (?:visible|seen|present|noted))" + _CLOSES + _SURE_NEXT,
    re.IGNORECASE | re.MULTILINE,
)
_SEEN = expression(
    rf"{_BEGINS}(?P<said>yes) ?[,.—–-] ?I (?:can )?(?:clearly )?see (?:it|one)(?: clearly| well| here)?"
    rf"(?:, {_OTHERWISE}{_DENIES}[^.!?;:\n]{{2,60}})?{_CLOSES}{_SURE_NEXT}",
    re.IGNORECASE,
)
_ANSWERED = expression(
    r"(?:^|(?<=[.;,] )|(?<=, so ))(?P<label>I(?:['’]d| would| must| therefore)? answer) [\"“]?(?P<said>yes|no)[\"”]?"
    r"(?=\.?(?:\n|\Z)|\. |,? with (?:an? )?(?:confidence|\d))",
    re.IGNORECASE | re.MULTILINE,
)
_NO = expression(
    rf"{_BEGINS}(?P<said>no)[,.] {_OTHERWISE}(?![^.\n]*\b(?:cannot|can['’]t|could|unable|without|exclude|normal)\b)"
    r"(?:(?:there (?:is|are) (?:no|not)|there (?:is|are)n['’]t|I (?:do not|don['’]t) see|no) [^.!?;:\n]{2,120}"
    r"|there (?:is not|are not|are none|is none|(?:is|are)n['’]t(?: any)?))" + _CLOSES + _SURE_NEXT,
    re.IGNORECASE | re.MULTILINE,
)
# The line before, where it makes the answer somebody else's; and words that turn to the other one.
_ANOTHERS = expression(rf"{words_at(Place.LINE_ABOVE)}[^\n]*\n\Z", re.IGNORECASE)
_TURNED = expression(rf"{words_at(Place.YES_OR_NO)}[,:]? (?:yes|no)\b", re.IGNORECASE)
_LABEL = expression(r"^(?:final |my )?answer ?[:=]", re.IGNORECASE | re.MULTILINE)
_NUMBER = expression(
    rf"{CUE}(?P<said>\d{{1,3}})(?=\.?(?:\s?$|\n| (?:(?:my |and |with )?confidence))|, ?(?:and "
    rf"|with )?(?:my )?confidence|;"
    r"| with\b| ?\((?:confidence|\d{1,3} ?%))",
    re.IGNORECASE | re.MULTILINE,
)


def claims_in_plain_words(text: str, options: Mapping[str, str]) -> Iterator[Claim]:
    """List the answers that a sentence of yes or no, or a number that is an option's text, claims.

    Args:
        text: Plain text.
        options: Letter -> text. Yes and no are read where both are options and there is no third one, numbers where
            all options are whole numbers under letters.

    Yields:
        The claims, those that do not stand among them.

    Example:
        >>> [claim.answer for claim in claims_in_plain_words("Answer: 3", {"A": "2", "B": "3"})]
        ['B']
    """
    letters = {option.strip(" .").lower(): letter for letter, option in options.items()}
    numbers = letters.keys() != {"yes", "no"}
    if not numbers:
        found = [match for form in (_YES, _SEEN, _ANSWERED, _NO) for match in islice(form.finditer(text), MOST_CLAIMS)]
    elif len(letters) == len(options) and all(re.fullmatch(r"[1-9]?\d", option) for option in letters):
        found = list(_NUMBER.finditer(text)) if all(letter.isalpha() for letter in options) else []
    else:
        return
    answers = {match["said"].lower() for match in found}
    several = len(answers) > 1 or (not letters.keys() - {"yes", "no"} and len(_LABEL.findall(text)) > 1)
    for match in found:
        at, end = match.span("said")
        if match["said"].lower() in letters:
            announced = numbers or match["label"] is not None
            meant = not announced or is_meant(text, match.start(), at)
            meant = meant and not (not numbers and _is_undone(text, match.start()))
            yield Claim(match.start(), at, end, letters[match["said"].lower()], several, meant)


def _is_undone(text: str, at: int) -> bool:
    """Whether the line before a yes or no makes it another's, or the text turns to the other one."""
    return bool(_ANOTHERS.search(text, max(at - 120, 0), at) or _TURNED.search(text))
