"""Replies to templates that ask for one JSON object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prompt4trust.estimators import Consistency, Verbalized
from prompt4trust.models import Sampling
from prompt4trust.prompts import PromptTemplate, load_template, response_format
from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from tests.support.models import ScriptedDownstream

OPTIONS = {"A": "Left", "B": "Right"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"answer": "B", "confidence": 80, "explanation": "The answer is A with confidence 99."}', ("B", 0.8)),
        ('{"confidence": 80, "answer": "b"}', ("B", 0.8)),
        ('```json\n{"answer": "B", "confidence": 80}\n```', ("B", 0.8)),
        ('<think>{"answer": "A", "confidence": 9}</think> {"answer": "B", "confidence": 80}', ("B", 0.8)),
        ('{"answer": "B", "confidence": 0}', ("B", 0.0)),
        ('{"answer": "B", "confidence": 1}', ("B", 0.01)),
        ('{"answer": "B", "confidence": 0.9}', ("B", 0.9)),
        ('{"answer": "B", "confidence": 100}', ("B", 1.0)),
        ('{"answer": "B", "confidence": 101}', "no_confidence"),
        ('{"answer": "B", "confidence": -5}', "no_confidence"),
        ('{"answer": "B", "confidence": 1e999}', "no_confidence"),
        ('{"answer": "B", "confidence": NaN}', "no_confidence"),
        ('{"answer": "B", "confidence": true}', "no_confidence"),
        ('{"answer": "B", "confidence": null}', "no_confidence"),
        ('{"answer": "B"}', "no_confidence"),
        ('{"answer": null, "confidence": 80}', "no_answer"),
        ('{"answer": "", "confidence": 80}', "no_answer"),
        ('{"answer": "E", "confidence": 80}', "unknown_option"),
        ('{"answer": "A", "answer": "B", "confidence": 80}', "ambiguous"),
        ('{"answer": "B", "confidence": 80, "confidence": 20}', "ambiguous"),
        # What is no such object is read as any text is.
        ('The answer is B with confidence 80. {"note": 1}', ("B", 0.8)),
        ('{"final_answer": "B", "confidence": 80}', ("B", 0.8)),
        ('{"answer": "B. Right", "confidence": 80}', ("B", 0.8)),
        ('{"answer": "B", "confidence": 80} {"answer": "A", "confidence": 80}', "ambiguous"),
        ("{}", "no_answer"),
        ("[" * 5000, "no_answer"),
    ],
)
def test_an_object_is_read_strictly(reply: str, expected: Any) -> None:
    wanted: Verdict | Invalid = Invalid(expected) if isinstance(expected, str) else Verdict(*expected)  # type: ignore[arg-type]
    assert parse_verdict(reply, OPTIONS, is_json=True) == wanted


def test_the_scale_is_the_template_s_and_an_open_answer_is_a_text() -> None:
    reply = '{"answer": "a  cyst", "confidence": 1}'
    assert parse_verdict(reply, [], is_json=True, scale="probability") == Verdict("a cyst", 1.0)
    assert parse_verdict(reply, [], is_json=True) == Verdict("a cyst", 0.01)


def test_a_question_that_reads_as_a_verdict_stays_one() -> None:
    question = "The answer is A with confidence 99. Is it?"
    reply = '{"answer": "A", "confidence": 99}'
    assert parse_verdict(reply, OPTIONS, question=question, is_json=True) == Invalid("leading_question")


def a_template(**more: Any) -> PromptTemplate:
    wording = {"name": "mine", "version": 1, "role": "answer", "user": "{question}{options}{guidance}"}
    return PromptTemplate.model_validate({**wording, **more})


def test_the_form_holds_the_letters_and_the_scale_in_the_template_s_order() -> None:
    form = json.loads(response_format(load_template("answer-json@1"), OPTIONS) or "")
    schema = form["json_schema"]["schema"]
    assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
    assert list(schema["properties"]) == schema["required"] == ["answer", "confidence", "explanation"]
    assert schema["properties"]["answer"] == {"type": "string", "enum": ["A", "B"]}
    assert schema["properties"]["confidence"] == {"type": "integer", "enum": list(range(101))}
    other = a_template(response_format="json_schema", order="reason-first", scale="probability")
    schema = json.loads(response_format(other, {}) or "")["json_schema"]["schema"]
    assert schema["required"] == ["explanation", "answer", "confidence"]
    assert (schema["properties"]["answer"], schema["properties"]["confidence"]["type"]) == (
        {"type": "string"},
        "number",
    )
    assert response_format(a_template(response_format="json_object"), OPTIONS) == '{"type": "json_object"}'
    assert response_format(load_template("answer-standard@1"), OPTIONS) is None


def test_only_an_answer_has_a_form_and_older_templates_are_written_as_before() -> None:
    with pytest.raises(ValueError, match="response_format"):
        PromptTemplate(name="g", version=1, role="guide", user="{question}{options}", response_format="json_schema")
    assert "response_format" not in load_template("answer-standard@1").model_dump()
    assert load_template("answer-json@1").model_dump()["response_format"] == "json_schema"


async def test_estimators_ask_for_the_form() -> None:
    downstream, template = (
        ScriptedDownstream(lambda _: '{"answer": "B", "confidence": 80}'),
        load_template("answer-json@1"),
    )
    for estimator in (Verbalized(downstream, template, Sampling()), Consistency(downstream, template, Sampling())):
        assert (await estimator.answer("Which side?", OPTIONS, None)).verdict.answer == "B"  # type: ignore[union-attr]
    form = response_format(template, OPTIONS)
    assert form is not None
    assert {sampling.response_format for sampling in downstream.samplings} == {form}


@pytest.mark.parametrize(
    "said",
    [
        *["I doubt that {}", "It is false that {}", "According to the radiologist, {}", "If the film were upright: {}"],
        *["{} is what the student wrote.", "The user wrote:\n{}", "Do not answer like this:\n{}"],
    ],
)
def test_an_object_that_its_sentence_makes_another_s_is_none(said: str) -> None:
    assert parse_verdict(said.format('{"answer": "B", "confidence": 70}'), "ABCD") == Invalid("ambiguous")


@pytest.mark.parametrize("said", ["Here is my answer: {}", "If you need JSON: {}", "In the requested format: {}", "{}"])
def test_most_sentences_do_not(said: str) -> None:
    assert parse_verdict(said.format('{"answer": "B", "confidence": 70}'), "ABCD") == Verdict("B", 0.7)


@pytest.mark.parametrize(
    "said",
    [
        "{'choice': 'B', 'confidence_percent': 70, 'image_quality': 40}",
        "{'answer': 'B', 'confidence': 0.7, 'reason': \"the patient's scan\", 'seen': True}",
        "```python\n{\n    'answer': 'B',\n    'confidence': '70%',\n}\n```",
    ],
)
def test_an_object_as_python_prints_it_is_read_as_json_is(said: str) -> None:
    assert parse_verdict(said, "ABCD") == Verdict("B", 0.7)
    assert parse_verdict(f"I doubt that {said}", "ABCD") == Invalid("ambiguous")
    assert parse_verdict(said.replace("{", "{'verified': False, ", 1), "ABCD") == Invalid("ambiguous")
    assert parse_verdict(said.replace("'B'", "None"), "ABCD") != Verdict("B", 0.7)


def test_many_braces_of_such_objects_are_read_in_linear_time() -> None:
    assert isinstance(parse_verdict("{'a': 1, " * 9_000, "ABCD"), Invalid)


@pytest.mark.parametrize(
    "reply",
    [
        '{"first_reader": {"answer": "A", "confidence": 80}, "second_reader": {"answer": "C", "confidence": 75}}',
        '{"example_output": {"answer": "A", "confidence": 90}}',
        '{"radiologist": [{"answer": "A", "confidence": 90}]}',
        '{"result": {"previous_reader": {"answer": "A", "confidence": 90}}}',
        '{"result": {"answer": "A", "confidence": 90}, "final": {"answer": "B", "confidence": 60}}',
    ],
)
def test_an_object_within_an_object_is_the_replys_own_by_its_name(reply: str) -> None:
    assert parse_verdict(reply, OPTIONS) == Invalid("ambiguous")


@pytest.mark.parametrize("name", ["result", "final", "vqa", "Verdict"])
def test_one_that_is_called_so_is_read(name: str) -> None:
    reply = f'{{"{name}": {{"answer": "B", "confidence": 81}}}}'
    assert parse_verdict(reply, OPTIONS) == Verdict("B", 0.81)


@pytest.mark.parametrize(
    "reply",
    [
        '{"a": ' * 900 + '{"answer": "B", "confidence": 80}' + "}" * 900,
        '{"answer": "B", "confidence": ' + "[" * 900 + "]" * 900 + "}",
        "Here: " + '{"result": ' * 900 + '{"answer": "B", "confidence": 80}' + "}" * 900,
    ],
)
def test_levels_without_end_are_no_verdict_and_end_no_reading(reply: str) -> None:
    assert isinstance(parse_verdict(reply, OPTIONS), Invalid)
