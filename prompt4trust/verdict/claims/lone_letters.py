"""Surroundings of a letter: whether it is an option's letter at all, its option's text, or another option."""

from __future__ import annotations

import re
from collections.abc import Mapping

from prompt4trust.verdict.words.expressions import expression

# What ties a letter to more than itself: "B12", "C-reactive", "A's", "A/B", "A.V."
_JOINED = expression(r"(?!置信|信心|把握|的置信|的可能|或|和)[^\W_]|[-'’&/][^\W_]|\.[A-Za-z]\.")
_NEXT_WORD = expression(r"[^\S\n\r]++[_\"“‘]*+([^\W_]++)(-?)")
_A_MEASURE = expression(
    r"\s\d++(?:[.,x×]\d++)?[ -]?(?:[cm]m|ml|cc|k?g|mg|HU|x|×|years?|months?|weeks?|days?|hours?)\b"
    r"|\s\d++(?:\.\d++)? ?(?:%|per ?cent) (?!(?:conf|sure|cert|prob|like|chance))[a-z]{4,}",
    re.IGNORECASE,
)
_A_GENUS = expression(
    r"\. ?(?:albicans|anthracis|aureus|auris|baumannii|botulinum|burgdorferi|cereus|coli|difficile|diphtheriae"
    r"|faecalis"
    r"|faecium|fragilis|fumigatus|granulosus|henselae|hepatica|histolytica|immitis|influenzae|israelii|jejuni|lamblia"
    r"|multilocularis|neoformans|perfringens|pertussis|psittaci|pylori|tetani|trachomatis|vaginalis)\b"
)
# An article cannot come before these, so a lower-case letter before them is an answer.
_AFTER_A_LETTER = frozenset(
    {"although", "and", "at", "because", "but", "confidence", "for", "from", "here", "however", "i", "if", "my", "or"}
    | {"since", "that", "though", "when", "where", "which", "while", "with"}
)
# Words that go on after a capital letter; any other may belong to its name ("B virus", "D dimer").
_AFTER_A_CAPITAL = _AFTER_A_LETTER | (
    {"as", "based", "given", "due", "in", "on", "to", "by", "per", "considering", "so", "owing", "certainty", "here"}
    | {"the", "according", "answer", "probability", "option", "choice", "among", "out", "vs", "versus", "therefore"}
    | {"rather", "despite", "after", "following", "assuming", "showing", "indicating", "suggesting", "置信度"}
)


def stands_alone(text: str, at: int) -> bool:
    """Whether the letter at a place is an option's letter and not (the beginning of) a word."""
    return not _JOINED.match(text, at + 1) and not _is_a_word(text, at)


def begins_a_measure(text: str, at: int) -> bool:
    """Whether the letter at a place is the article of a measure or a share: "A 4 mm nodule", "A 70% stenosis"."""
    return text[at] in "AIai" and _A_MEASURE.match(text, at + 1) is not None


def _is_a_word(text: str, at: int) -> bool:
    """Whether a one-letter token is the article "a", the pronoun "I" or the beginning of a name ("B virus")."""
    letter = text[at]
    if _A_GENUS.match(text, at + 1):
        return True
    if begins_a_measure(text, at):
        return True
    following = _NEXT_WORD.match(text, at + 1)
    if following is None:
        return False
    word = following[1].lower()
    if letter.isupper() and letter != "I":
        return bool(following[2]) or not (word in _AFTER_A_CAPITAL or len(word) == 1)
    return letter in "aI" and not (word in _AFTER_A_LETTER and not following[2])


_BEHIND_A_LETTER = expression(r"[\s_\"'“”‘’)\]}.:,;–—(-]{0,6}")


def own_text(text: str, at: int, options: Mapping[str, str]) -> int:
    """Length of an option's letter and its own text right behind it; 0 where that is not there."""
    own = options.get(text[at].upper(), "").strip().lower()
    behind = _BEHIND_A_LETTER.match(text, at + 1)
    if not own or behind is None or behind.end() == at + 1:
        return 0
    after = text[behind.end() : behind.end() + len(own) + 1].lower()
    return behind.end() + len(own) - at if after.startswith(own) and not after[len(own) :].isalnum() else 0


_OTHER = expression(
    r"[\s)\]}_\"'’”]*+(?:[,(\[]\s?)?(?:/|&|\+|\||\b(?:or|and|vs\.?|versus|oder|und|ou|et|[oeyu]|of|en|или|и)\b"
    r"|或者?|和|、"
    r"|または|또는)\s?+"
    r"(?:(?:perhaps|possibly|maybe|also|either|else) )?(?:option |选项)?[(\[\"'“]?([A-Za-z])(?![^\W_]|['’-])"
)
_LISTED = expression(
    r"[)\]]?(?:\s?[,;]\s?[(\[]?([A-Z])[)\]]?(?![^\W_]|['’-]))++(?=\s?(?:$|[.\n,;]|\(|with\b|and\b|or\b))"
)
_HEDGED = expression(r"\s?[,(]\s?(?:or|possibly|perhaps|maybe|alternatively|could also be)\b[^.\n]{0,20}?\b([A-Z])\b")


def has_alternatives(text: str, at: int, options: Mapping[str, str]) -> bool:
    """Whether the letter at a place is one of several ("A or B"), or stands beside another option's text."""
    own = own_text(text, at, options)
    if re.search(r"\b(?:either|both|between) [(\[]?$", text[max(at - 12, 0) : at], re.IGNORECASE):
        return True
    for end in {at + 1, at + max(own, 1)}:
        for form in (_OTHER, _LISTED, _HEDGED):
            other = form.match(text, end)
            if other and other[1].upper() in options and other[1].upper() != text[at].upper():
                word = _NEXT_WORD.match(text, other.end())
                if other[1] not in "aAI" or word is None or word[1].lower() in _AFTER_A_LETTER:
                    return True
    return not own and _names_another(text, at, options)


_PLACE = expression(r"\bthe (first|second|third|fourth|fifth|sixth) (?:option|choice|letter)\b", re.IGNORECASE)
_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth")


def is_out_of_place(text: str, start: int, at: int, options: Mapping[str, str]) -> bool:
    """Whether a claim counts the option that it means and names another one: "the third option (B)"."""
    counted = _PLACE.search(text, start, at)
    letters = list(options)
    return counted is not None and text[at].upper() not in letters[_PLACES.index(counted[1].lower()) :][:1]


_LONG = 4
# A word as short as "no" may begin a sentence ("no effusion is seen"): it must be all that is said.
_SHORT_ENDS, _ENDS = expression(r" ?(?:[)\]},.;:!\"”\n]|$)"), expression(r"(?![^\W_])")


def _names_another(text: str, at: int, options: Mapping[str, str]) -> bool:
    """Whether a letter is followed by the whole text of another option ("C: Pleural effusion" where that is B)."""
    behind = _BEHIND_A_LETTER.match(text, at + 1)
    if behind is None or "\n" in behind[0]:
        return False
    after = text[behind.end() : behind.end() + 200].lower()
    for letter, option in options.items():
        name = option.strip().lower()
        ends = _SHORT_ENDS if len(name) < _LONG else _ENDS
        if name and letter != text[at].upper() and after.startswith(name) and ends.match(after, len(name)):
            return True
    return False
