"""A chat becomes the fields of a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from prompt4trust.errors import UnclearOptionsError
from prompt4trust.options.in_text import split_options
from services.common.http.strict_json import load_json
from services.common.openai.chat_parts import ImagePart, TextPart, UserMessage
from services.common.openai.errors import OpenAIError
from services.gateway.chat.request import CalibratedChatRequest

_IN_METADATA: Final = ("options", "max_risk", "coverage", "groups")


@dataclass(frozen=True, slots=True)
class ChatQuestion:
    """A question as a chat asks it, unchecked.

    Attributes:
        fields: The fields of `Ask` that it gives, but for the method.
        places: Field -> where in the request it comes from, for errors.
        picture: The picture's address, which is to be a data: URL.
        picture_place: Where in the request it comes from.
    """

    fields: Mapping[str, Any]
    places: Mapping[str, str]
    picture: str
    picture_place: str


def question_of(request: CalibratedChatRequest) -> ChatQuestion:
    """Find the question, its options and its picture in a chat.

    Raises:
        OpenAIError: 400 if it holds not exactly one turn with one picture and a text, or says something twice.
    """
    at, message = _only_turn(request)
    if isinstance(message.content, str):
        refuse(f"messages[{at}].content", "A question needs its picture: send a list of a text and an image_url part.")
    place = f"messages[{at}].content"
    pictures = [(n, part) for n, part in enumerate(message.content) if isinstance(part, ImagePart)]
    if len(pictures) != 1:
        refuse(place, f"A question is about one picture; {len(pictures)} image_url parts were sent.")
    text = "\n".join(part.text for part in message.content if isinstance(part, TextPart))
    fields, places = _explicit(request)
    if "options" not in fields:
        try:
            split = split_options(text)
        except UnclearOptionsError as error:
            otherwise = "send them as `options` or `metadata.options`, [] for an open question"
            refuse(place, f"The text {error}, or {otherwise}.", "unclear_options")
        fields["options"], places["options"], text = list(split.options), place, split.question
    fields["question"], places["question"] = text, place
    number, picture = pictures[0]
    return ChatQuestion(fields, places, picture.image_url.url, f"{place}[{number}].image_url.url")


def refuse(param: str, message: str, code: str = "invalid_value") -> NoReturn:
    """Refuse a parameter; raises OpenAIError (400)."""
    raise OpenAIError(400, message, param=param, code=code)


def _only_turn(request: CalibratedChatRequest) -> tuple[int, UserMessage]:
    turns: list[tuple[int, UserMessage]] = []
    for at, message in enumerate(request.messages):
        if isinstance(message, UserMessage):
            turns.append((at, message))
        elif not (message.is_empty or request.takes_instructions(message)):
            refuse(
                f"messages[{at}].role",
                f"Messages of the role '{message.role}' are not served: calibration holds for the gateway's own "
                "wording. Put what belongs to the question into the one message of the user.",
                "unsupported_value",
            )
    if len(turns) != 1:
        refuse(
            "messages",
            f"Each question stands for itself: send one message of the user, not {len(turns)}.",
            "unsupported_value",
        )
    return turns[0]


def _explicit(request: CalibratedChatRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """Collect what the request says by name, of its own or in metadata; null says nothing."""
    given = {name: getattr(request, name) for name in _IN_METADATA}
    fields = {name: value for name, value in given.items() if value is not None}
    places = {name: name for name in fields}
    for name in _IN_METADATA:
        if (text := (request.metadata or {}).get(name)) is None:
            continue
        place = f"metadata.{name}"
        if name in fields:
            refuse(place, f"'{name}' is given twice: of its own, and in the metadata.")
        try:
            fields[name] = load_json(text)
        except (ValueError, RecursionError):
            refuse(place, f"'{place}' must be JSON text, as a metadata value is a string.")
        places[name] = place
        if fields[name] is None:
            refuse(place, f"'{place}' must not be null.")
    return fields, places
