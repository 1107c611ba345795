"""A parser of the user's own: named, taken within bounds, and part of what evidence is keyed by."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from prompt4trust.estimators import Verbalized
from prompt4trust.estimators.single_reply import read_reply
from prompt4trust.models import Completion, Sampling
from prompt4trust.prompts import load_answer_template
from prompt4trust.verdict import Asked, Invalid, Verdict, load_parser, split_name
from tests.prompt4trust.verdict import parsers
from tests.support.models import ScriptedDownstream

HERE = "tests.prompt4trust.verdict.parsers"
OPTIONS = {"A": "Left", "B": "Right"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("B|90", Verdict("B", 0.9)),
        ("A|0", Verdict("A", 0.0)),
        ("silent", Invalid("no_answer")),
        ("twice", Invalid("ambiguous")),
        ("C|90", Invalid("parser_failed")),
        ("|90", Invalid("parser_failed")),
        ("b|90", Invalid("parser_failed")),
        ("B|101", Invalid("parser_failed")),
        ("B|-1", Invalid("parser_failed")),
        ("B|nan", Invalid("parser_failed")),
        ("B|inf", Invalid("parser_failed")),
        ("The answer is B with confidence 90.", Invalid("parser_failed")),
    ],
)
def test_only_a_verdict_on_the_question_is_taken(reply: str, expected: Verdict | Invalid) -> None:
    assert load_parser(f"{HERE}:read").read(reply, OPTIONS, Asked()) == expected


def test_a_failure_is_logged_without_the_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_parser(f"{HERE}:read").read("the patient's name", OPTIONS, Asked())
    assert caplog.messages == [f"the parser {HERE}:read failed: ValueError"]


def test_a_result_of_another_kind_is_none() -> None:
    assert load_parser(f"{HERE}:no_verdict").read("B", OPTIONS, Asked()) == Invalid("parser_failed")


def test_an_open_question_takes_any_text() -> None:
    assert load_parser(f"{HERE}:read").read("a cyst|40", {}, Asked()) == Verdict("a cyst", 0.4)


async def test_estimators_read_by_it_and_its_name_is_in_the_template_s_id() -> None:
    template = load_answer_template(f"answer-compact@1+{HERE}:versioned")
    assert template.id == f"answer-compact@1+{HERE}:versioned@2"
    assert load_answer_template(template.id) == template
    assert template != load_answer_template("answer-compact@1")
    estimator = Verbalized(ScriptedDownstream(lambda _: "B|70"), template, Sampling())
    assert (await estimator.answer("Which side?", OPTIONS, None)).verdict == Verdict("B", 0.7)
    assert parsers.SEEN[-1] == ("B|70", OPTIONS, Asked("Which side?", "per-cent", "stop"))


def test_it_is_told_why_the_text_ended() -> None:
    template = load_answer_template(f"answer-compact@1+{HERE}:read")
    read_reply(Completion("B|7", "length"), template, "Which side?", OPTIONS)
    assert parsers.SEEN[-1][2].finish_reason == "length"


def test_a_template_s_file_cannot_name_code(tmp_path: Path) -> None:
    path = tmp_path / "mine+here.json"
    path.write_text('{"name": "mine", "version": 1, "role": "answer", "user": "{question}{options}{guidance}"}')
    assert load_answer_template(str(path)).id == "mine@1"
    assert load_answer_template(f"{path}+{HERE}:read").id == f"mine@1+{HERE}:read"
    path.write_text(path.read_text().replace('"version"', f'"parser": "{HERE}:read", "version"'))
    with pytest.raises(ValueError, match="parser"):
        load_answer_template(str(path))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere.to_be_found:read", "cannot be imported"),
        (f"{HERE}:missing", "no function of that name"),
        (f"{HERE}:A_NUMBER", "no function of that name"),
        (f"{HERE}:badly_versioned", "version must be a word"),
        (f"{HERE}:versioned@1", "its version is '2'"),
        (f"{HERE}:read@1", "its version is None"),
        ("read", "module:function"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load_parser(name)


@pytest.mark.parametrize("source", ["answer-compact@1", "a+b.json", "a+b:c.json", "/x+y/z.json", "answer@1+", "+a"])
def test_other_names_name_no_parser(source: str) -> None:
    assert split_name(source) == (source, "")
