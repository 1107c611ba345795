"""Replies in a client's form: what a schema is given, what it is refused for, and that it never costs much."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.openai.errors import OpenAIError
from services.gateway.chat.reply_form import ReplyForm, reply_form
from services.gateway.chat.reply_values import NAMES
from services.gateway.chat.request import CalibratedChatRequest
from services.gateway.question_schemas import Ask
from services.gateway.schemas import VqaReply

EXAMPLE = Path(__file__).parents[4] / "services" / "gateway" / "examples" / "VqaReply.json"
ASK = Ask.model_validate(
    {"question": "Which shape?", "options": ["Round", "Oval", "Spiculated"], "method": "cgp"},
    context={"methods": ("cgp",)},
)
OPEN = ASK.model_copy(update={"options": {}})


def reply(decision: str = "answer", **changes: Any) -> VqaReply:
    """The stored example, a deferral whose guess is B: Oval, decided otherwise."""
    found = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    given = {"answer": found["guess"], "guess": None} if decision == "answer" else {}
    return VqaReply.model_validate(found | given | {"decision": decision} | changes)


def form_of(schema: Mapping[str, Any], ask: Ask = ASK) -> ReplyForm:
    named = {"name": "x", "schema": dict(schema)}
    return form_of_request(ask, response_format={"type": "json_schema", "json_schema": named})


def form_of_request(ask: Ask = ASK, **more: Any) -> ReplyForm:
    given = {"model": "calibrated-vqa", "messages": [{"role": "user", "content": "?"}], **more}
    return reply_form(CalibratedChatRequest.model_validate(given), ask)


def by_tool(schema: Mapping[str, Any], ask: Ask = ASK) -> ReplyForm:
    function = {"name": "tell", "parameters": {**schema, "type": "object"}}
    choice = {"type": "function", "function": {"name": "tell"}}
    return form_of_request(ask, tools=[{"type": "function", "function": function}], tool_choice=choice)


def in_words(schema: Mapping[str, Any], ask: Ask = ASK) -> ReplyForm:
    told = {"role": "system", "content": f"Return JSON that fits this schema: {json.dumps(schema)}"}
    messages = [told, {"role": "user", "content": "?"}]
    return form_of_request(ask, response_format={"type": "json_object"}, messages=messages)


def properties(**found: Any) -> dict[str, Any]:
    return {"type": "object", "properties": found, "required": [*found], "additionalProperties": False}


ANSWERS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "string"}, "Oval"),
    ({"enum": ["Round", "Oval", "Spiculated", None]}, "Oval"),
    ({"enum": ["A", "B", "C"]}, "B"),
    ({"type": "string", "maxLength": 1}, "B"),
    ({"$ref": "#/$defs/Choice"}, {"letter": "B", "text": "Oval"}),
    ({"anyOf": [{"$ref": "#/$defs/Choice"}, {"type": "null"}]}, {"letter": "B", "text": "Oval"}),
]
CHOICE = properties(letter={"type": "string"}, text={"type": "string"})


@pytest.mark.parametrize(("schema", "value"), ANSWERS)
def test_an_answer_has_the_first_form_that_fits_every_option(schema: dict[str, Any], value: Any) -> None:
    whole = {**properties(answer=schema, confidence={"type": ["number", "null"]}), "$defs": {"Choice": CHOICE}}
    content = form_of(whole).write(reply(), "cgp").content
    assert content is not None
    found = json.loads(content)
    assert found == {"answer": value, "confidence": 0.3639}
    jsonschema.validate(found, whole)


KINDS = st.sampled_from(
    [{}, {"type": ["string", "null"]}, {"type": "string"}, {"type": ["number", "null"]}, {"type": "number"},
     {"type": "boolean"}, {"type": ["array", "null"]}, {"enum": ["answer"]}, {"enum": ["answer", "defer"]}]
)  # fmt: skip


PLACES: dict[Callable[..., ReplyForm], str] = {
    form_of: "response_format.json_schema.schema",
    by_tool: "tools[0].function.parameters",
    in_words: "messages[0].content",
}
"""Ways in which a client tells its schema, and how errors name them."""


@given(
    st.dictionaries(st.sampled_from(NAMES), KINDS, min_size=1),
    st.booleans(),
    st.sampled_from(["answer", "defer"]),
    st.sampled_from([*PLACES]),
)
def test_content_fits_its_schema_and_no_deferral_gives_the_answer_away(
    fields: dict[str, Any], are_required: bool, decision: str, told: Callable[..., ReplyForm]
) -> None:
    """Whatever the schema: it is refused before anything is asked, filled, or turned into a refusal in words."""
    schema = properties(**fields) if are_required else {"type": "object", "properties": fields}
    try:
        form, refusal = told(schema), None
    except OpenAIError as error:
        form, refusal = ReplyForm(), error
    if refusal is not None:
        assert refusal.status == 400
        assert str(refusal.param).startswith(PLACES[told])
        return
    text = form.write(reply(decision), "cgp")
    assert (text.content is None) != (text.refusal is None)
    assert (text.tool is not None) == (told is by_tool and text.content is not None)
    if text.content is not None:
        jsonschema.validate(json.loads(text.content), schema)
    if decision == "defer":
        assert "Oval" not in (text.content or "") + (text.refusal or "")
        found = json.loads(text.content or "{}")
        assert found.get("letter") is None
        assert found.get("confidence") is None
    elif not are_required:
        assert text.content is not None


def test_a_confidence_that_is_not_calibrated_is_told_in_no_form() -> None:
    given = reply()
    stated = given.model_copy(
        update={"calibration": given.calibration.model_copy(update={"calibrated": False, "reason": "none fits"})}
    )
    words = ReplyForm().write(stated, "cgp").content
    assert words is not None
    assert "not calibrated: none fits." in words
    assert "33 %" not in words
    found = json.loads(ReplyForm("json_object").write(stated, "cgp").content or "")
    assert (found["confidence"], found["calibrated"]) == (None, False)


def test_one_option_that_remains_is_no_part_of_a_deferral() -> None:
    """A set of one option would be the answer by another name."""
    both = reply().option_set
    assert both is not None
    with pytest.raises(ValueError, match="may stand in its guess alone"):
        reply("defer", option_set=both.model_copy(update={"letters": ["B"]}).model_dump())
    left = reply("defer", option_set=both.model_copy(update={"letters": ["A", "B"]}).model_dump())
    found = json.loads(ReplyForm("json_object").write(left, "cgp").content or "")
    assert found["option_set"] == ["A", "B"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a name that no reply has": (properties(diagnosis={"type": "string"}), "no 'diagnosis'"),
    "another type": (properties(confidence={"type": "integer"}), "must take every value"),
    "a percentage": (properties(confidence={"type": "number", "minimum": 1, "maximum": 100}), "must take every value"),
    "other options": (properties(answer={"enum": ["yes", "no"]}), "every option"),
    "no object": ({"type": "array", "items": {}}, "'object'"),
    "no properties": ({"type": "object"}, "properties"),
    "a pattern": (properties(reason={"type": "string", "pattern": "(a+)+$"}), "pattern"),
    "a reference elsewhere": (properties(answer={"$ref": "https://example.org/s"}), "$ref"),
    "a reference to nothing": (properties(answer={"$ref": "#/$defs/None"}), "$ref"),
    "a circle": ({**properties(answer={"$ref": "#/$defs/A"}), "$defs": {"A": {"$ref": "#/$defs/A"}}}, "levels"),
    "no schema": (properties(answer={"type": "text"}), "no JSON Schema"),
    "nothing known": ({"type": "object", "properties": {"x": {}}}, "Not one"),
    "very many values": (properties(answer={"enum": [str(number) for number in range(5_000)]}), "1000 values"),
    "very deep": (properties(answer=json.loads('{"anyOf":[' * 40 + "{}" + "]}" * 40)), "levels"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_schema_that_cannot_be_filled_is_refused(what: str) -> None:
    schema, said = REFUSED[what]
    with pytest.raises(OpenAIError) as refused:
        form_of(schema)
    assert said in str(refused.value)
    assert refused.value.status == 400


def test_references_that_double_at_every_step_are_refused_at_once() -> None:
    definitions: dict[str, Any] = {"D0": {"type": "string"}}
    for number in range(1, 15):
        definitions[f"D{number}"] = {"anyOf": [{"$ref": f"#/$defs/D{number - 1}"}] * 2}
    began = time.thread_time()
    with pytest.raises(OpenAIError, match=r"values|levels"):
        form_of({**properties(answer={"$ref": "#/$defs/D14"}), "$defs": definitions})
    assert time.thread_time() - began < 1  # of this thread, whatever else the machine does


def test_an_open_question_has_a_text_and_no_letter() -> None:
    form = form_of(properties(answer={"type": ["string", "null"]}, letter={"type": "null"}), OPEN)
    given = reply(answer={"letter": None, "text": "An effusion."})
    assert json.loads(form.write(given, "cgp").content or "") == {"answer": "An effusion.", "letter": None}
