"""The form that a client wants a reply in: words, the documented object, or one of the client's own schema.

A function that the client names is called with such an object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from services.common.openai.tools import ForcedTool
from services.gateway.chat.form_instructions import told_schema
from services.gateway.chat.question import refuse
from services.gateway.chat.reply_schema import ReplySchema
from services.gateway.chat.reply_values import NAMES, reply_values
from services.gateway.chat.request import CalibratedChatRequest
from services.gateway.chat.wording import in_words
from services.gateway.question_schemas import Ask
from services.gateway.schemas import VqaReply

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

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
        tool: The function that is called, the text being its arguments; None where none is.
    """

    content: str | None
    refusal: str | None = None
    tool: ForcedTool | None = None


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """A form of replies.

    Attributes:
        kind: "text", "json_object" or "json_schema".
        schema: The client's schema, of the last kind.
        answer: Form of `answer` in it: one of ANSWER_FORMS.
        tool: The function that is called with such an object, or None.
    """

    kind: str = "text"
    schema: ReplySchema = field(default_factory=lambda: ReplySchema({}, frozenset()))
    answer: str = "text"
    tool: ForcedTool | None = None

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
        says = reply.answer is not None or bool(fitting.intersection(_SAYS_DEFERRAL))
        if not says or schema.required - fitting:
            # Rather no text of that form than one that hides what was decided.
            return ReplyText(None, in_words(reply))
        return ReplyText(_json({name: values[name] for name in schema.properties if name in fitting}), tool=self.tool)


def reply_form(request: CalibratedChatRequest, ask: Ask) -> ReplyForm:
    """Find the form of a request's reply, and see that an answer to the question can have it.

    Args:
        request: The request.
        ask: The checked question.

    Raises:
        OpenAIError: 400 if the schema asks for what no reply has, or instructions ask for more than a form.
        Problem: 413 if a schema in instructions holds very many values.
    """
    wanted, tool = request.response_format, request.forced_tool
    if tool is not None:
        return _schema_form(tool.parameters, tool.param, ask, tool)
    if wanted is None or wanted.type == "text":
        return ReplyForm()
    if wanted.json_schema is not None:
        return _schema_form(wanted.json_schema.form, "response_format.json_schema.schema", ask)
    told = told_schema(request)
    return ReplyForm("json_object") if told is None else _schema_form(told.schema, told.param, ask)


def _schema_form(wanted: Mapping[str, Any], param: str, ask: Ask, tool: ForcedTool | None = None) -> ReplyForm:
    schema = ReplySchema.of(wanted, param)
    if unknown := sorted(schema.required.difference(NAMES)):
        name, there = unknown[0][:64], ", ".join(NAMES)
        refuse(f"{param}.properties.{name}", f"A reply has no '{name}'. It has {there}.", "unsupported_value")
    if unnamed := sorted(schema.required.difference(schema.properties)):
        refuse(f"{param}.required", f"'{unnamed[0]}' is required and not among the properties.")
    if schema.properties.keys().isdisjoint(NAMES):
        refuse(param, f"Not one of the properties is known. A reply has {', '.join(NAMES)}.", "unsupported_value")
    form = "text"
    for name, judge in schema.properties.items():
        if name == "answer":
            form = _form_of_answer(judge, ask, param)
        elif name in NAMES:
            _check(name, judge, _samples(name, ask), param)
    return ReplyForm("json_schema", schema, form, tool)


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


def _form_of_answer(judge: Draft202012Validator, ask: Ask, param: str) -> str:
    pairs: Sequence[tuple[str | None, str]] = tuple(ask.options.items()) or ((None, "An answer."),)
    fitting = (
        form for form in ANSWER_FORMS if all(judge.is_valid(_answer(letter, text, form)) for letter, text in pairs)
    )
    form = next(fitting, None)
    if form is None:
        refuse(
            f"{param}.properties.answer",
            "'answer' must take every option of the question: its text, its letter, or both as {letter, text}.",
        )
    return form


def _answer(letter: str | None, text: str | None, form: str) -> Any:
    if text is None:
        return None
    return {"text": text, "letter": letter, "both": {"letter": letter, "text": text}}[form]


def _check(name: str, judge: Draft202012Validator, samples: Sequence[Any], param: str) -> None:
    for sample in samples:
        if not judge.is_valid(sample):
            shown = json.dumps(sample, ensure_ascii=False)
            refuse(
                f"{param}.properties.{name}", f"'{name}' must take every value that it can have, such as {shown:.60}."
            )


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)
