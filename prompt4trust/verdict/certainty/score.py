"""A model's words of certainty as a number: what it says of its own answer, where it says anything."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from prompt4trust.verdict.certainty.self_assessment import LONGEST, self_assessments
from prompt4trust.verdict.certainty.words import LEVELS, WORDS, lower_case
from prompt4trust.verdict.even_text import EvenText
from prompt4trust.verdict.plain_text import has_words, without_thoughts
from prompt4trust.verdict.words.expressions import expression

_LEVELS: Final[tuple[tuple[float, re.Pattern[str]], ...]] = (
    # The first that is found in a mark counts: what is denied or doubted comes before what it is made of.
    (
        0.15,
        lower_case(
            r"\b(?:unlikely|improbabl[ey]|implausibl[ey]|doubtful|i doubt|impossible"
            r"|not (?:at all |very |quite |entirely |absolutely )?(?:likely|probabl[ey]|sure|certain(?:ly)?"
            r"|clear(?:ly)?|confident|convinced|definite(?:ly)?|obvious(?:ly)?|evident)"
            r"|far from (?:certain|sure|clear)|unsure|uncertain(?:ty)?|uncertainties"
            r"|(?:low|poor|little|limited) (?:\w{1,12} )?(?:confidence|certainty|probability|likelihood)"
            r"|low|poor|little|limited|(?:just |only )?a guess|coin (?:toss|flip)|fifty-fifty|50[/-]50)\b"
        ),
    ),
    (
        0.97,
        lower_case(
            r"\b(?:(?:very|absolutely|completely|totally|entirely|quite|most) (?:certain(?:ly)?|sure)|certainly"
            r"|certainty|certain|certitude|surely|sure|definite(?:ly)?|definitive(?:ly)?|undoubtedly|indubitably"
            r"|doubtless(?:ly)?"
            r"|no (?:\w{1,12} )?doubts?|(?:without|beyond) (?:\w{1,12} ){0,4}doubts?|unquestionabl[ey]"
            r"|unequivocal(?:ly)?|unmistakabl[ey]|indisputabl[ey]|undeniabl[ey]|obvious(?:ly)?|clearly|clear"
            r"|evident(?:ly)?"
            r"|must be"
            r"|conclusive(?:ly)?|of course|guaranteed?|absolute|convinced|positive)\b"
        ),
    ),
    (
        0.85,
        lower_case(
            r"\b(?:(?:very|highly|extremely|most) (?:likely|probabl[ey])|confident(?:ly)?"
            r"|(?:high|strong|great|good) (?:\w{1,12} )?(?:confidence|probability|likelihood)|high|strong|great|good)\b"
        ),
    ),
    (
        0.45,
        lower_case(
            r"\b(?:possibl[ey]|perhaps|maybe|may|might|could|conceivabl[ey]|plausibl[ey]|suspect|guess|suppose"
            r"|moderate|medium|fair)\b"
        ),
    ),
    (
        0.7,
        lower_case(
            r"\b(?:likely|probabl[ey]|presumabl[ey]|presumed|apparently|appears?|seems?|think|believe|assume)\b"
        ),
    ),
)
"""Confidence -> words that stand for it: values of our own, in their order those of surveys of verbal probability."""
_FIRST_PERSON = lower_case(r"\b(?:i|i'm|i’m|my)\b")
_ANSWER = lower_case(r"\b(?:answer|option|choice|diagnosis|conclu\w{2,8})\b")
_SENTENCE = expression(r"[^.!?\n]+[.!?]?")
_CLAUSE_BEGINS = expression(r"[,;:()—–]|\b(?:but|and|while|whereas|although|though|so|hence|rather)\b")
_DENIES = lower_case(
    r" ?(?:\w{1,12} )?(?:not|isn't|isn’t|never|no longer|rather than|wrong|incorrect|ruled out|excluded)\b"
)
_SHORTEST_NAME: Final = 4
"""Signs of the shortest option text that is looked for: "no" stands in "no doubt"."""


def certainty_score(
    text: str, options: Mapping[str, str] | None = None, answer: str | None = None, question: str = ""
) -> float | None:
    """Read the words by which a reply says how sure it is of its answer.

    Only sentences count that speak of the answer or in the first person: "a possible fracture elsewhere" is a finding.
    Thoughts do not count, nor words that deny, that stand in a clause about another option, or that the question or an
    option has, too. English alone is read, and no more than `LONGEST` signs.

    Args:
        text: The reply.
        options: Letter -> text.
        answer: The letter that the reply was read as; without it clauses about other options count.
        question: The question's text.

    Returns:
        Mean of the words' values, in [0, 1]; None where there are none, which says nothing and is not 0.5.

    Example:
        >>> certainty_score("The answer is clearly B."), certainty_score("The answer is B. I am not sure.")
        (0.97, 0.15)
        >>> certainty_score("The answer is B with confidence 80. A possible fracture.") is None
        True
    """
    said = without_thoughts(text)
    if said is None:
        return None
    even, given = EvenText.of(said[:LONGEST]), options or {}
    if not (WORDS.search(even.lower) or LEVELS.search(even.lower)):
        return None  # most replies
    words = [(each.start, each.end) for each in self_assessments(even.plain, given) if each.kind == "words"]
    sources = " \n ".join(EvenText.of(source).lower for source in (question, *given.values()))
    others = _others(tuple(given), answer)
    texts = {key: EvenText.of(value).lower.strip() for key, value in given.items()}

    @cache
    def is_echo(found: str) -> bool:
        return has_words(sources, found)

    def is_of_another(start: int, end: int) -> bool:
        clause = even.lower[start:end]
        own = texts.get(answer or "", "")
        if others is None or (len(own) >= _SHORTEST_NAME and own in clause):
            return False
        named = {key for key, value in texts.items() if len(value) >= _SHORTEST_NAME and value in clause}
        named |= {found["behind"] or found["alone"] for found in others.finditer(even.plain, start, end)}
        return bool(named) and answer not in named

    found = []
    for start, end in _clauses_with(even.lower, words):
        inside = words[bisect_right(words, (start, start)) : bisect_right(words, (end, end))]
        if is_of_another(start, end):
            continue
        for begin, behind in inside:
            mark = even.lower[begin:behind].strip()
            if not _DENIES.match(even.lower, behind) and not is_echo(mark) and (value := _value(mark)):
                found.append(value)
    return sum(found) / len(found) if found else None


def _clauses_with(plain: str, words: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the clauses, of sentences that speak of the answer, in which a word begins; in one pass over both."""
    place = 0
    for sentence in _SENTENCE.finditer(plain):
        while place < len(words) and words[place][0] < sentence.start():
            place += 1
        if place == len(words):
            return
        if words[place][0] >= sentence.end():
            continue
        if not (_FIRST_PERSON.search(sentence[0]) or _ANSWER.search(sentence[0])):
            continue
        since = sentence.start()
        for at in (*(each.start() for each in _CLAUSE_BEGINS.finditer(plain, *sentence.span())), sentence.end()):
            while place < len(words) and words[place][0] < since:
                place += 1
            if place < len(words) and words[place][0] < at:
                yield since, at
            since = at


def _others(letters: tuple[str, ...], answer: str | None) -> re.Pattern[str] | None:
    """Compile a pattern of an option's letter where it is no article and no pronoun; None without an answer."""
    if answer is None or not letters:
        return None
    one = f"[{re.escape(''.join(letters))}]"
    return re.compile(
        r"\b(?:[Oo]ption|[Aa]nswer|[Cc]hoice|not|is|be|or|than|[Ee]xclude|out)"
        rf"[ \"'(]{{1,3}}(?P<behind>{one})(?![\w'’])"
        rf"|(?<![\w'’])(?P<alone>{one})(?= ?(?:[).,:;!?\]]|$|(?:is|was|seems|appears)\b))"
    )


def _value(words: str) -> float | None:
    return next((value for value, pattern in _LEVELS if pattern.search(words)), None)
