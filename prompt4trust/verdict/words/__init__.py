"""Words that take a verdict back, in one table: each stands once, with the places of a reply where it counts.

The same word says different things in different places: "not" ahead of an answer denies it, in a sentence about another
option it confirms it. A word that is missing in a place is seen in its row.
"""

from __future__ import annotations

from prompt4trust.verdict.words.denials import DENIALS
from prompt4trust.verdict.words.others import OTHERS
from prompt4trust.verdict.words.places import Place
from prompt4trust.verdict.words.turns import TURNS

__all__ = ["Place", "words_at"]


def words_at(place: Place) -> str:
    """Write the pattern of all words that count in a place, to be laid on text without regard to case.

    Args:
        place: The place.

    Returns:
        Pattern of one whole word or phrase.

    Example:
        >>> import re
        >>> bool(re.search(words_at(Place.YES_OR_NO), "No. Sorry, yes.", re.IGNORECASE))
        True
    """
    return (
        rf"\b(?:{'|'.join(word for table in (TURNS, OTHERS, DENIALS) for word, places in table if place & places)})\b"
    )
