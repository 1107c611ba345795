"""The form that a client wants a reply in: words, the documented object, or an object of the client's own schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jsonschema import Draft202012Validator

from services.common.openai.text_forms import ResponseFormat
from services.gateway.chat.question import refuse
from services.gateway.chat.reply_schema import PARAM, ReplySchema
from services.gateway.chat.reply_values import NAMES, given_answer, reply_values
from services.gateway.chat.wording import in_words
from services.gateway.schemas import Ask, VqaReply

ANSWER_FORMS: Final = ("text", "letter", "both")
"""Forms of `answer`, of which a schema gets the first that it takes for every option."""
_SAYS_DEFERRAL: Final = ("decision", "answer", "letter", "text", "confidence")
_SAMPLES: Final[Mapping[str, Sequence[Any]]] = {
    "decision": ("answer",),
    "confidence": (0.0, 0.5, 0.8125, 1.0),
    "calibrated": (True,),
    "guarantee": (True, False),
    "reason": ("A" * 20, "A" * 600),
    "option_set": (None, ["A", "B"]),
    "id": ("00000000-0000-4000-8000-000000000000",),
}
"""Values that a schema must take for every question; those of an answer depend on the options."""


@dataclass(frozen=True, slots=True)
class ReplyText:
    """The text of a reply.

    Attributes:
        content: The text; None where there is a refusal instead.
        refusal: Words that tell why the form asked for cannot be had, as OpenAI's structured outputs have it; or None.
    """

    content: str | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """A form of replies.

    Attributes:
        kind: "text", "json_object" or "json_schema".
        schema: The client's schema, of the last kind.
        answer: Form of `answer` in it: one of ANSWER_FORMS.
    """

    kind: str = "text"
    schema: ReplySchema = field(default_factory=lambda: ReplySchema({}, frozenset()))
    answer: str = "text"

    def write(self, reply: VqaReply, method: str) -> ReplyText:
        """Write a reply.

        Args:
            reply: The reply.
            method: The method that was asked for.
        """
        if self.kind == "text":
            return ReplyText(in_words(reply))
        values = reply_values(reply, method)
        if self.kind == "json_object":
            return ReplyText(_json({name: value for name, value in values.items() if name != "text"}))
        if self.answer != "text":
            values = {**values, "answer": _answer(values["letter"], values["text"], self.answer)}
        return self._filled(reply, values)

    def _filled(self, reply: VqaReply, values: Mapping[str, Any]) -> ReplyText:
        schema = self.schema
        fitting = {name for name, judge in schema.properties.items() if name in values and judge.is_valid(values[name])}
        says = given_answer(reply) is not None or bool(fitting.intersection(_SAYS_DEFERRAL))
        if not says or schema.required - fitting:
            # Rather no text of that form than one that hides what was decided.
            return ReplyText(None, in_words(reply))
        return ReplyText(_json({name: values[name] for name in schema.properties if name in fitting}))


def reply_form(wanted: ResponseFormat | None, ask: Ask) -> ReplyForm:
    """Find the form of a request's reply, and see that an answer to the question can have it.

    Args:
        wanted: What the request says of it.
        ask: The checked question.

    Raises:
        OpenAIError: 400 if the schema asks for what no reply has.
    """
    if wanted is None or wanted.json_schema is None:
        return ReplyForm("text" if wanted is None else wanted.type)
    schema = ReplySchema.of(wanted.json_schema.form)
    if unknown := sorted(schema.required.difference(NAMES)):
        name, there = unknown[0][:64], ", ".join(NAMES)
        refuse(f"{PARAM}.properties.{name}", f"A reply has no '{name}'. It has {there}.", "unsupported_value")
    if unnamed := sorted(schema.required.difference(schema.properties)):
        refuse(f"{PARAM}.required", f"'{unnamed[0]}' is required and not among the properties.")
    if schema.properties.keys().isdisjoint(NAMES):
        refuse(PARAM, f"Not one of the properties is known. A reply has {', '.join(NAMES)}.", "unsupported_value")
    form = "text"
    for name, judge in schema.properties.items():
        if name == "answer":
            form = _form_of_answer(judge, ask)
        elif name in NAMES:
            _check(name, judge, _samples(name, ask))
    return ReplyForm("json_schema", schema, form)


def _samples(name: str, ask: Ask) -> Sequence[Any]:
    match name:
        case "letter":
            return tuple(ask.options) or (None,)
        case "text":
            return tuple(ask.options.values()) or ("An answer.",)
        case "method":
            return (ask.method,)
        case _:
            return _SAMPLES[name]


def _form_of_answer(judge: Draft202012Validator, ask: Ask) -> str:
    pairs: Sequence[tuple[str | None, str]] = tuple(ask.options.items()) or ((None, "An answer."),)
    fitting = (
        form for form in ANSWER_FORMS if all(judge.is_valid(_answer(letter, text, form)) for letter, text in pairs)
    )
    form = next(fitting, None)
    if form is None:
        refuse(
            f"{PARAM}.properties.answer",
            "'answer' must take every option of the question: its text, its letter, or both as {letter, text}.",
        )
    return form


def _answer(letter: str | None, text: str | None, form: str) -> Any:
    if text is None:
        return None
    return {"text": text, "letter": letter, "both": {"letter": letter, "text": text}}[form]


def _check(name: str, judge: Draft202012Validator, samples: Sequence[Any]) -> None:
    for sample in samples:
        if not judge.is_valid(sample):
            shown = json.dumps(sample, ensure_ascii=False)
            refuse(
                f"{PARAM}.properties.{name}", f"'{name}' must take every value that it can have, such as {shown:.60}."
            )


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)
