"""Options that a model's words name: those of an open answer, and those that a reply says before its letter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Final

from prompt4trust.meaning import normalised
from prompt4trust.verdict.plain_text import without_thoughts
from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

NO_OPINION: Final = 0.5
_DENIALS: Final = frozenset(["no", "not", "cannot", "without", "absent", "negative", "neither", "nor", "never", "none"])
_WEIGHED: Final = _DENIALS.union(
    ["isn", "doesn", "wasn", "aren", "rather", "instead", "would", "should", "hardly", "barely", "whether"],
    ["but", "however", "although", "though", "while", "whereas", "if", "unclear", "uncertain", "normally"],
    ["nicht", "kein", "keine", "pas", "aucun", "aucune", "sans", "sin", "ningún", "ninguna", "non", "senza", "sem"],
    ["não", "geen", "niet", "zonder", "ohne", "не", "нет", "без"],
)
_OTHERS: Final = expression(words_at(Place.KEEPS | Place.BEFORE_TEXT | Place.BEHIND_TEXT | Place.COMPARED))
"""With these, the words of a text that weighs options: what it names may be what it does not choose."""
_ANNOUNCED: Final = expression(
    r"\b(?:(?:right|correct|left) )?(?:answer|option|choice|letter|selection)\b", re.IGNORECASE
)
"""Words that announce a letter: their "right" is no side."""
_FINDING: Final = expression(
    r"\b(?P<label>findings?|diagnosis|impression|observations?)[\"'*_ ]{0,4}(?::|=|\bis\b)[\"'*_ ]{0,4}"
    r"(?P<said>[^\W_][^\"*,;\n]{0,200}?)(?=\s*(?:[\"*,;\n]|\.(?:\s|$)|$))",
    re.IGNORECASE,
)
"""A finding that is said to be one: "Finding: Round.", '"finding": "Round"', "the diagnosis is cyst"."""
_LONGEST: Final = 2_000
"""Characters before a letter that are read, the last ones: as many as `normalised` brings to one spelling."""
_MOST: Final = 4
"""Different findings that are compared: more are a report, and each costs the time of all options."""
_LONGER: Final = 1
"""Words by which a finding may be longer than the longest option: a longer one is a description."""
_NO_FINDINGS: Final = frozenset(["yes", "no", "true", "false", "all", "both", "other", "normal", "abnormal"])
"""Options that answer a question without being what is seen."""
_HALVES: Final = frozenset(["left", "right"])
_SIDES: Final = _HALVES.union(["bilateral", "unilateral", "both", "midline", "middle", "center", "central"])
_SAYS_NOTHING: Final = frozenset(["i", "we", "my", "it", "this", "that", "these", "which", "what"]).union(
    ["clear", "obvious", "evident", "unknown", "indeterminate", "inconclusive", "equivocal", "pending", "difficult"],
    ["easy", "certain", "straightforward", "see", "follow", "below", "above", "here", "listed", "given", "based"],
    ["choose", "pick", "select", "say", "consistent", "compatible", "suggestive", "typical", "classic", "likely"],
    ["probable", "present", "visible", "shown", "seen", "made", "correct", "abnormal", "normal", "image", "picture"],
    ["scan", "mass", "lesion", "abnormality"],
)
"""Words of a text that stands where a finding would and is none: "The diagnosis is clear", "Finding: see below"."""
_SAME_SHAPE: Final = {"circular": "round", "spherical": "round", "elliptical": "oval", "ovoid": "oval"}
_STEM, _ENDING = 4, 2
"""Letters in which two words begin alike, at least, and those by which the shorter then goes on, at most."""
_ABBREVIATION: Final = expression(r"\b[A-Z]{2,5}\b")
_NO_BLANKS: Final = expression(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A letter of writing that puts no blanks between words, or none before their endings."""


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
    Oval. The answer is C", where C is round. Only a finding that is said to be one, and is short, contradicts: any
    other text may explain what the options are. A text that names several or weighs them ("not round, since ...") has
    no opinion; nor have findings that differ, one in other words of the same stem or as an abbreviation, and one of
    another kind than the options ("effusion" among sides or numbers).

    Args:
        before: The reply up to its letter.
        letter: The letter.
        options: Letter -> text.

    Returns:
        1 where the words name that option alone; 0 where a short finding is another one alone, or none of them; 0.5, no
        opinion, otherwise. Options such as yes, no and normal are never contradicted by what is not among them, and
        contradict none. Source: our own.

    Example:
        >>> options = {"A": "Round", "B": "Oval", "C": "Lobulated"}
        >>> [words_agree(f"Finding: {said}. The answer is", "A", options) for said in ("round", "oval", "stellate")]
        [1.0, 0.0, 0.0]
        >>> words_agree("It is not oval. The answer is", "A", options), words_agree("The answer is", "A", options)
        (0.5, 0.5)
    """
    said = _ANNOUNCED.sub(" ", (without_thoughts(before) or "")[-_LONGEST:])
    texts = {each: normalised(text).split() for each, text in options.items()}
    named, rest = _mentioned(normalised(said).split(), texts)
    if len(named) > 1 or not _WEIGHED.isdisjoint(rest) or _OTHERS.search(" ".join(rest)):
        return NO_OPINION
    if named == [letter]:
        return 1.0
    findings = {(at["said"], at["label"].endswith("s")) for at in _FINDING.finditer(said)}
    if len(findings) > _MOST:
        return NO_OPINION
    found = {
        # "Findings: 1. Heart: ..." is a list.
        NO_OPINION if is_plural and text.isdigit() else _agrees(text, letter, options, texts)
        for text, is_plural in findings
    }
    return found.pop() if len(found) == 1 else NO_OPINION


def _agrees(finding: str, letter: str, options: Mapping[str, str], texts: Mapping[str, Sequence[str]]) -> float:
    """Compare a finding with an option: 1, 0 where it is another one or none, or no opinion."""
    named = words_name(finding, options) or _within(finding, options)
    seen = normalised(finding).split()
    if letter in named:
        return 1.0 if len(named) == 1 else NO_OPINION
    if len(named) > 1 or not seen or len(seen) > max(map(len, texts.values())) + _LONGER:
        return NO_OPINION
    if named:
        [other] = named
        is_all = _holds(seen, texts[other]) and _NO_FINDINGS.isdisjoint([" ".join(texts[other])])
    else:
        is_all = _is_rival(finding, seen, letter, options, texts)
    return 0.0 if is_all else NO_OPINION


def _within(finding: str, options: Mapping[str, str]) -> list[str]:
    """List the options whose texts stand in a finding written without blanks, the longest where several do."""
    within = {letter: len(text) for letter, text in options.items() if _NO_BLANKS.search(text) and text in finding}
    return [letter for letter, length in within.items() if length == max(within.values())]


def _is_rival(
    finding: str, seen: Sequence[str], letter: str, options: Mapping[str, str], texts: Mapping[str, Sequence[str]]
) -> bool:
    """Whether a short finding that no option has could have been one of them, and surely is not that of the letter."""
    others = {" ".join(text) for text in texts.values()}
    if says_none(options[letter]) or not _NO_FINDINGS.isdisjoint(others) or not _SAYS_NOTHING.isdisjoint(seen):
        return False
    is_letter = len(seen) == 1 and len(seen[0]) == 1 and seen[0].isalpha()
    if is_letter or _NO_BLANKS.search(finding):
        return False
    if not _HALVES.isdisjoint(others) and _SIDES.isdisjoint(seen):
        return False
    if any(other.isdecimal() for other in others) and not any(word.isdecimal() for word in seen):
        return False
    if _ABBREVIATION.search(finding) and not any(map(_ABBREVIATION.fullmatch, options.values())):
        return False
    return not _may_be_same(finding, options[letter]) and not any(
        _same_stem(word, other) for word in seen for other in texts[letter]
    )


def _may_be_same(text: str, other: str) -> bool:
    """Whether an abbreviation in one text may stand for the other one: its letters follow each other there."""
    pairs = ((short, long) for long, by in ((other, text), (text, other)) for short in _ABBREVIATION.findall(by))
    return any(_stands_for(short.lower(), long.lower()) for short, long in pairs)


def _stands_for(short: str, long: str) -> bool:
    """Whether a text begins with the first of some letters and has the rest behind it in their order."""
    left = iter(long)
    return long[:1] == short[:1] and all(each in left for each in short)


def _same_stem(word: str, other: str) -> bool:
    """Whether two words are forms of one, or names of one shape: "rounded" and "round", "circular" and "round"."""
    word, other = _SAME_SHAPE.get(word, word), _SAME_SHAPE.get(other, other)
    alike = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False))))
    return word == other or (alike >= _STEM and min(len(word), len(other)) - alike <= _ENDING)


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
