"""The options that a chat asks to choose from, read from its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prompt4trust.questions import MIN_OPTIONS
from services.common.engine.errors import InvalidRequestError
from services.common.engine.interface import Message, texts_of

_LETTER = re.compile(r"\(?([A-Z])[.):](?:\s|$)")  # of a few characters, so that no line takes it long


def read_options(messages: Sequence[Message]) -> dict[str, str]:
    r"""Read the lettered options of the last user message, if there is one way to read them.

    Lines stand one below the other, "A. Left", "B. Right" and so on; only empty lines may be between them. Any other
    lettered line of the message, be it of the question or of guidance, could be what was meant: then nothing is read.

    Args:
        messages: The chat.

    Returns:
        Letter -> text, from A on without a gap.

    Raises:
        InvalidRequestError: If there are fewer than two lettered lines (code `options_missing`), or they are no single
            run from A on (code `options_ambiguous`).

    Example:
        >>> read_options([{"role": "user", "content": "Which side?\nA. Left\nB. Right\nName the letter."}])
        {'A': 'Left', 'B': 'Right'}
    """
    asked = next((message for message in reversed(messages) if message["role"] == "user"), None)
    found: list[tuple[str, str]] = []
    whole = True
    broken = False  # whether a line of another kind came behind the last lettered one
    for line in ("" if asked is None else text_of(asked)).split("\n"):
        if not (bare := line.strip()):
            continue
        if (letter := _LETTER.match(bare)) is None:
            broken = True
            continue
        text = bare[letter.end() :].lstrip()
        in_turn = letter[1] == chr(ord("A") + len(found)) and (not broken or not found)
        whole = whole and in_turn and bool(text)
        found.append((letter[1], text))
        broken = False
        if not whole and len(found) >= MIN_OPTIONS:
            break  # a message may have very many
    if len(found) < MIN_OPTIONS:
        raise InvalidRequestError(
            f"This model chooses between options by a picture: {_HOW}.", param="messages", code="options_missing"
        )
    if not whole:
        raise InvalidRequestError(
            f"It is not certain which lettered lines are the options: {_HOW}, and let no other line begin with a "
            "letter like that.",
            param="messages",
            code="options_ambiguous",
        )
    return dict(found)


_HOW = "send them as lines of the last user message one below the other that begin with letters, 'A. ...', 'B. ...'"


def text_of(message: Message) -> str:
    """Join a message's pieces of text."""
    return "\n".join(texts_of(message))
