"""A result tells what the reply tells, and neither a guess nor a number that is not calibrated."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from services.gateway.results.result import AnswerResult, can_be_referenced, result_of
from tests.services.gateway.results.answers import answers, source


def test_a_result_is_the_reply_without_what_must_not_be_told() -> None:
    kinds = set()
    for answered in answers(300):
        reply, result = answered.reply(recorded=True), result_of(answered)
        is_answer, is_calibrated = reply.decision == "answer", reply.calibration.calibrated
        assert result.id == reply.id
        assert result.decision == reply.decision
        assert result.code == reply.decision_basis.code
        assert result.question == answered.query.ask.question
        assert result.options == answered.query.ask.options
        assert result.answer == reply.answer
        assert (result.answer is None) == (not is_answer)
        assert result.confidence == (reply.confidence if is_answer and is_calibrated else None)
        assert result.interval == (reply.calibration.interval if is_answer and is_calibrated else None)
        assert result.models == reply.models
        told = result.option_set is not None
        assert result.option_set == reply.option_set
        assert is_answer or result.option_set is None or len(result.option_set.letters) > 1
        kinds.add((is_answer, is_calibrated, result.interval is None, told, bool(result.options)))
    assert len(kinds) == 12


def test_a_note_holds_no_number_that_is_not_calibrated() -> None:
    for answered in answers(300, seed=6):
        result = result_of(answered)
        if result.confidence is None:
            assert not set("0123456789%") & set(result.note)
        assert result.note == result.note.strip()
        assert "  " not in result.note


def test_a_result_comes_back_from_a_record_as_it_was() -> None:
    for answered in answers(60, seed=7):
        result = result_of(answered)
        kept = json.loads(json.dumps(result.kept()))
        assert "source" not in kept
        assert result.source is not None
        assert AnswerResult.told_again(kept, asdict(result.source)) == result


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\x00b\x1b", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("a\r\n\tb", "a\r\n\tb"),
    ],
)
def test_what_no_form_can_hold_is_replaced(text: str, written: str) -> None:
    answered = next(each for each in answers(50) if each.query.ask.options)
    options = {**answered.query.ask.options, "A": text}
    asked = answered.query.ask.model_copy(update={"options": options, "question": text})
    result = result_of(replace(answered, query=replace(answered.query, ask=asked)))
    assert (result.question, result.options["A"]) == (written, written)


def test_an_instance_without_identifiers_cannot_be_referenced() -> None:
    assert can_be_referenced(source())
    assert not can_be_referenced(None)
    for name in ("study_uid", "series_uid", "sop_class_uid", "sop_instance_uid"):
        assert not can_be_referenced(source(**{name: ""}))
