"""Instructions that speak of a reply's form and of nothing else: the only ones that a chat may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.common.openai.schema_in_words import schema_in_words
from services.gateway.chat.question import refuse
from services.gateway.chat.request import CalibratedChatRequest, OtherMessage

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+")
_MOST_CHARACTERS: Final = 2_000
_FORM_WORDS: Final = frozenset(
    """
    a all always an and any are as be below by can code codeblock compatible comply complying conform conforming
    conforms consist consists contain containing contains content correct correctly defined described do document
    each else every exact exactly expert explanation extra extract extracted fence fenced field fields fill fit fits
    fitting follow following follows for form format formatted from generate genius give given in include including
    instance instead into is it its itself json key keys list lists make markdown match matches matching must
    name named names no not nothing object objects of only or other our out output parse parsed parser please
    prose provide provided produce properties property reply represent required requested respond response
    return returned returning returns same schema schemas should single some specified strict strictly string
    structure structured sure task text that the them then these this those to type typed types understand use
    using valid value values where which with within without write you your
    """.split()  # noqa: SIM905 - two hundred quoted words would be no list to read
)
"""Words of instructions about a form. None of them says how, or what, to answer."""


@dataclass(frozen=True, slots=True)
class ToldSchema:
    """A schema that instructions tell in words.

    Attributes:
        schema: The schema.
        param: Where in the request it is told, for errors.
    """

    schema: Mapping[str, Any]
    param: str


def told_schema(request: CalibratedChatRequest) -> ToldSchema | None:
    """Find the schema that a request for a JSON object tells in its instructions.

    Calibration holds for the gateway's own wording: instructions are taken where they ask for a form, and refused where
    they may ask for anything else.

    Args:
        request: The request. Of one that asks for no JSON object, instructions are none of this function's business.

    Returns:
        The schema; None where there is none.

    Raises:
        OpenAIError: 400 if instructions hold other words than those of forms, or two schemas.
        Problem: 413 if one holds very many values.
    """
    found: ToldSchema | None = None
    for at, message in enumerate(request.messages):
        if not isinstance(message, OtherMessage) or not request.takes_instructions(message):
            continue
        param = f"messages[{at}].content"
        text = _instruction_text(message)
        if text is None:
            refuse(param, "Instructions are a text, or a list of text parts.")
        told = schema_in_words(text)
        _check_words(text if told is None else told.words, param)
        if told is not None and found is not None:
            refuse(param, "A second schema is told here: a reply has one form.")
        found = found if told is None else ToldSchema(told.schema, param)
    return found


def _instruction_text(message: OtherMessage) -> str | None:
    """Return the text of a message of instructions; None where it is not made of text alone."""
    if isinstance(message.content, str):
        return message.content
    parts = message.content if isinstance(message.content, list) else [None]
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    return None if not all(isinstance(text, str) for text in texts) else "\n".join(map(str, texts))


def _check_words(words: str, param: str) -> None:
    if len(words) > _MOST_CHARACTERS:
        refuse(param, f"Words beside a schema may have {_MOST_CHARACTERS} characters.", "unsupported_value")
    if "{" in words or "}" in words:
        message = "Instructions may hold one JSON schema of an object that names its properties, and no other braces."
        refuse(param, message, "unsupported_value")
    other = next((word for word in _WORD.findall(words) if word.casefold() not in _FORM_WORDS), None)
    if other is not None:
        refuse(
            param,
            f"Instructions may say which JSON is wanted and nothing else, and '{other[:40]}' could be more than that: "
            "calibration holds for the gateway's own wording. Tell the schema as `response_format.json_schema`.",
            "unsupported_value",
        )
