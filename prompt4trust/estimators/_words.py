"""Options that a model's words name: those of an open answer, and those that a reply says before its letter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from prompt4trust.meaning import normalised
from prompt4trust.verdict.plain_text import without_thoughts

NO_OPINION: Final = 0.5
_DENIALS: Final = frozenset(["no", "not", "cannot", "without", "absent", "negative", "neither", "nor", "never", "none"])
_WEIGHED: Final = _DENIALS.union(
    ["isn", "doesn", "wasn", "aren", "rather", "instead", "unlike", "unlikely", "excluded", "versus", "less", "than"],
    ["would", "could", "should", "might", "may", "if", "but", "however", "although", "though", "while", "whereas"],
)
"""Words of a text that weighs options: what it names may be what it does not choose."""
_ANNOUNCED: Final = re.compile(
    r"\b(?:(?:right|correct|left) )?(?:answer|option|choice|letter|selection)\b", re.IGNORECASE
)
"""Words that announce a letter: their "right" is no side."""
_FINDING: Final = re.compile(
    r"\b(?:findings?|diagnosis|impression|observations?)[\"'*_ ]{0,4}(?::|=|\bis\b)[\"'*_ ]{0,4}"
    r"(?P<said>[^\W_][^\"*,;\n]{0,200}?)(?=\s*(?:[\"*,;\n]|\.(?:\s|$)|$))",
    re.IGNORECASE,
)
"""A finding that is said to be one: "Finding: Round.", '"finding": "Round"', "the diagnosis is cyst"."""
_LONGEST: Final = 2_000
"""Characters before a letter that are read, the last ones: as many as `normalised` brings to one spelling."""
_STATEMENT: Final = 12
"""Words beyond which a text that names another option than it chooses is an explanation, and may lead to its choice."""
_LONGER: Final = 1
"""Words by which a finding may be longer than the longest option: a longer one is a description."""
_NO_FINDINGS: Final = frozenset(["yes", "no", "true", "false", "all", "both", "other", "normal", "abnormal"])
"""Options that answer a question without being what is seen."""


def words_name(said: str, options: Mapping[str, str]) -> list[str]:
    """List the options that an open answer names.

    It names one whose text it is in one spelling (`prompt4trust.meaning.normalised`), or else the longest of those
    whose whole text stands among its words, or else those among whose words it stands. What is denied on one side alone
    is not the same: "no effusion" does not name "effusion".

    Args:
        said: The answer.
        options: Letter -> text.

    Returns:
        Their letters, in order; several where the answer is not more of one than of another.

    Example:
        >>> words_name("a small pleural effusion", {"A": "Effusion", "B": "Pleural effusion", "C": "No effusion"})
        ['B']
        >>> words_name("effusion", {"A": "Pleural effusion", "B": "Pericardial effusion"})
        ['A', 'B']
        >>> words_name("Yes, there is", {"A": "Yes", "B": "No"})
        ['A']
    """
    words = normalised(said).split()
    texts = {letter: normalised(text).split() for letter, text in options.items()}
    alike = {letter: text for letter, text in texts.items() if _DENIALS.isdisjoint(text) == _DENIALS.isdisjoint(words)}
    if same := [letter for letter, text in alike.items() if text == words]:
        return same
    if within := {letter: len(text) for letter, text in alike.items() if _holds(words, text)}:
        return [letter for letter, length in within.items() if length == max(within.values())]
    return [letter for letter, text in alike.items() if _holds(text, words)]


def says_none(option: str) -> bool:
    """Whether an option says that none is right ("None of the above"): no words of a finding name it."""
    return normalised(option).split()[:1] == ["none"]


def words_agree(before: str, letter: str, options: Mapping[str, str]) -> float:
    """Compare what a reply says before its letter with the option of that letter.

    Among options a model takes the nearest, even where none is right, and may have said before what it sees: "Finding:
    Oval. The answer is C", where C is round. Options are looked for by their whole texts, in one spelling, and where
    none is found, in a finding that is said to be one, as `words_name` does. A text that names several or weighs them
    ("not round, since ...") has no opinion; nor has an explanation that names another option, or one without a finding.

    Args:
        before: The reply up to its letter.
        letter: The letter.
        options: Letter -> text.

    Returns:
        1 where the words name that option alone; 0 where they name another one alone, or a short finding that is none
        of the options; 0.5, no opinion, otherwise. Source: our own.

    Example:
        >>> options = {"A": "Round", "B": "Oval", "C": "Lobulated"}
        >>> [words_agree(f"Finding: {said}. The answer is", "A", options) for said in ("round", "oval", "stellate")]
        [1.0, 0.0, 0.0]
        >>> words_agree("It is not oval. The answer is", "A", options), words_agree("The answer is", "A", options)
        (0.5, 0.5)
    """
    said = _ANNOUNCED.sub(" ", (without_thoughts(before) or "")[-_LONGEST:])
    words = normalised(said).split()
    texts = {each: normalised(text).split() for each, text in options.items()}
    named, rest = _mentioned(words, texts)
    if not _WEIGHED.isdisjoint(rest):
        return NO_OPINION
    finding = _FINDING.search(said)
    if not named and finding is not None:
        named = words_name(finding["said"], options) or _missing(finding["said"], letter, options, texts)
    if len(named) != 1 or (named != [letter] and finding is None and len(words) > _STATEMENT):
        return NO_OPINION
    return float(named == [letter])


def _missing(finding: str, letter: str, options: Mapping[str, str], texts: Mapping[str, Sequence[str]]) -> list[str]:
    """Name a finding that no option has, where it could be one's: not a description, and no letter."""
    seen = normalised(finding)
    is_short = len(seen.split()) <= max(map(len, texts.values())) + _LONGER and seen.upper() not in options
    may_be_one = not says_none(options[letter]) and _NO_FINDINGS.isdisjoint(map(" ".join, texts.values()))
    return [seen] if is_short and may_be_one else []


def _mentioned(words: Sequence[str], texts: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """List the options whose whole texts stand among some words, not within a longer one's; and the other words."""
    rest = f" {' '.join(words)} "
    named = []
    for text in sorted({" ".join(text) for text in texts.values() if text}, key=len, reverse=True):
        left = rest.replace(f" {text} ", " | ")
        if left != rest:
            named += [letter for letter, other in texts.items() if " ".join(other) == text]
            rest = left
    return named, rest.split()


def _holds(words: Sequence[str], part: Sequence[str]) -> bool:
    """Whether some words stand among others, side by side; none do not."""
    return bool(part) and f" {' '.join(part)} " in f" {' '.join(words)} "
