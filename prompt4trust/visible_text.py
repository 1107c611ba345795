"""Text as a reader sees it: without the characters that a model reads and no person does."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_JOINERS: Final = "\u200c\u200d"
# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties), which a test holds beside a library's.
_IGNORABLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DECEPTIVE: Final = re.compile("[\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e01ef]")
_VIRAMA: Final = 9


def visible(text: str) -> str:
    r"""Take away what nobody sees: zero-width and filling characters, marks of direction, tags, variants, soft hyphens.

    A joiner stays where its script needs it to be written rightly: behind a virama, or between Arabic letters (after
    RFC 5892, appendix A). Nothing else of the text changes.

    Args:
        text: Anything.

    Returns:
        The same words. Of two texts that read alike but for such characters the same comes out.

    Example:
        >>> visible("Which\u200b si\u00adde?")
        'Which side?'
    """
    return text if text.isascii() else _IGNORABLE.sub(lambda found: _kept(text, found.start()), text)


def deceptive_character(text: str) -> str | None:
    r"""Find a character by which people read another text than the model does.

    Those are the ones that show letters in another order than they are read in, and those that write whole texts
    invisibly. Single invisible characters come with pasting, and `visible` takes them away.

    Args:
        text: Anything.

    Returns:
        The first such character, or None.

    Example:
        >>> deceptive_character("Which side\u202e?")
        '\u202e'
    """
    found = None if text.isascii() else _DECEPTIVE.search(text)
    return None if found is None else found[0]


def _kept(text: str, place: int) -> str:
    joiner, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if joiner not in _JOINERS or not before:
        return ""
    between_arabic = after and unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL"
    return joiner if unicodedata.combining(before) == _VIRAMA or between_arabic else ""
