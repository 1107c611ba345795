"""Questions and options as clients send them: the checks that every service makes of them."""

from __future__ import annotations

import re
import unicodedata
from string import ascii_letters
from typing import Any, Final

from pydantic_core import PydanticCustomError

from prompt4trust.options.letters import bare_options
from prompt4trust.questions import MAX_OPTIONS, MIN_OPTIONS, letter_options
from prompt4trust.visible_text import deceptive_character, visible

OPTION_LETTER: Final = r"^\s*[A-Za-z]\s*$"
"""Letters of options, as clients may write them."""
_PLAIN_CONTROLS = frozenset("\t\n")
_BREAKS = re.compile("\r\n|[\r\u2028\u2029]")


def plain_text(value: str, *, what: str, limit: int) -> str:
    """Strip a text of what nobody sees, and refuse what no person types.

    Args:
        value: The text; line breaks of any kind become one character, invisible characters are taken away.
        what: Its name in errors.
        limit: Most characters as sent, blanks around them included.

    Returns:
        The text without blanks around it.

    Raises:
        PydanticCustomError: If it is blank, too long, or holds control characters, lone surrogates, or characters by
            which people read another text than a model does.
    """
    # Browsers send a text area's line breaks as CR LF.
    text = _BREAKS.sub("\n", value)
    # As it was sent, blanks and all: that is the length that the OpenAPI document bounds.
    if len(text) > limit:
        message = "{what} may have at most {limit} characters, not {found}"
        raise _fault("long_text", message, what=what, limit=limit, found=len(text))
    if (deceptive := deceptive_character(text)) is not None:
        message = "{what} must not contain {character}, which hides a text or shows it in another order"
        raise _fault("deceptive_character", message, what=what, character=f"U+{ord(deceptive):04X}")
    text = visible(text).strip()
    if not text:
        raise _fault("blank_text", "{what} must not be blank", what=what)
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in _PLAIN_CONTROLS:
            message = "{what} must not contain {character}, which is not text"
            raise _fault("control_character", message, what=what, character=f"U+{ord(character):04X}")
    return text


def read_options(value: Any, *, limit: int) -> dict[str, str]:
    """Bring every accepted form of options to letter -> text, in the order given.

    Args:
        value: A list of texts, an object letter -> text, or nothing (None, an empty list or object).
        limit: Most characters of one option.

    Returns:
        Letter (A to Z) -> text; empty for an open question. Their own letters, where all texts begin with them and mark
        them alike ("A: Left"), are taken off.

    Raises:
        PydanticCustomError: If the form, the number, a letter or a text is wrong.
    """
    if value is None or value in ([], {}):
        return {}
    if not isinstance(value, list | dict):
        raise _fault("options_form", "options must be a list of texts or an object of letter and text")
    if not MIN_OPTIONS <= len(value) <= MAX_OPTIONS:
        message = "a question has {least} to {most} options, not {found}"
        raise _fault("option_count", message, least=MIN_OPTIONS, most=MAX_OPTIONS, found=len(value))
    lettered = letter_options(value) if isinstance(value, list) else _letters_of(value)
    for letter, text in lettered.items():
        if not isinstance(text, str):
            raise _fault("option_type", "every option must be a string")
        lettered[letter] = plain_text(text, what=f"option {letter}", limit=limit)
    bare = bare_options(lettered)
    if bare is None:
        # An answer by letter would mean one option to the model and another to whoever reads it.
        message = "the options' texts begin with other letters than theirs: put them in order, or take the letters away"
        raise _fault("option_letter", message)
    return bare


def read_letter(text: str) -> str | None:
    """Read an option's letter as clients write it; None where it is none.

    Example:
        >>> read_letter(" b "), read_letter("AB"), read_letter("\u0131")  # the dotless i, of which Python makes an I
        ('B', None, None)
    """
    letter = text.strip()
    return letter.upper() if len(letter) == 1 and letter in ascii_letters else None


def _letters_of(value: dict[Any, Any]) -> dict[str, Any]:
    lettered: dict[str, Any] = {}
    for key, text in value.items():
        letter = read_letter(str(key))
        if letter is None:
            raise _fault("option_letter", "the options' keys must be single letters from A to Z")
        if letter in lettered:
            raise _fault("option_letter", "option {letter} is there twice", letter=letter)
        lettered[letter] = text
    return lettered


def _fault(kind: str, message: str, **context: str | int) -> PydanticCustomError:
    return PydanticCustomError(kind, message, context)
