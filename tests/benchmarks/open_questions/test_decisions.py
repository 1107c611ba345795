"""Decisions on open questions, counted: a wrong answer is told from a right one, and a leak from a deferral."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.open_questions.__main__ import share, table
from benchmarks.open_questions.decisions import Decisions
from benchmarks.open_questions.material import COLUMNS, write_open
from prompt4trust.datasets import load_dataset, parse_columns
from prompt4trust.questions import Question

QUESTION = Question("q1", "Which side?", open_answer="Left")


def reply(text: str | None, *, calibrated: bool = True, guarantee: bool = True, **more: Any) -> dict[str, Any]:
    answered = text is not None
    return {
        "decision": "answer" if answered else "defer",
        "decision_basis": {"guarantee": guarantee},
        "calibration": {"calibrated": calibrated, "reason": None if calibrated else "none was fitted"},
        "answer": {"letter": None, "text": text} if answered else None,
        "explanation": "It is left." if answered else None,
        "model_text": "It is left." if answered else None,
        **more,
    }


def test_answers_are_judged_and_deferrals_must_show_nothing() -> None:
    replies = [reply("the left."), reply("Right", guarantee=False), reply(None, calibrated=False)]
    found = Decisions.of((QUESTION, each) for each in replies)
    assert found == Decisions(3, 2, 1, 1, 2, 0, {"none was fitted": 1})
    for leak in ({"answer": {"letter": None, "text": "Left"}}, {"explanation": "Left."}, {"model_text": "Left."}):
        assert Decisions.of([(QUESTION, reply(None, **leak))]).shown == 1


def test_phantoms_without_options_are_open_questions_with_an_expected_text(tmp_path: Any) -> None:
    file = write_open(tmp_path, 4, split="test", seed=3)
    written = file.stat().st_mtime_ns
    found = load_dataset(file, columns=parse_columns(COLUMNS)).judged_by("normalised-1")
    assert len(found.questions) == 4
    assert all(
        each.open_answer and not each.options and set(each.groups) == {"modality", "family"} for each in found.questions
    )
    assert write_open(tmp_path, 4, split="test", seed=3).stat().st_mtime_ns == written


def test_a_row_holds_both_scales_and_what_is_answered_at_the_risks() -> None:
    names = ("accuracy", "valid_rate", "auroc", "aurc", "ece", "nll")

    def method(name: str, calibrator: str | None, value: float) -> dict[str, Any]:
        figures = {each: {"value": value, "low": 0.0, "high": 1.0} for each in names}
        return {
            "name": name,
            "estimator": "logprob",
            "calibrator": calibrator,
            "failed": 0,
            "figures": {"n": 10, "all": figures},
        }

    report = {"methods": [method("logprob", None, 0.5), method("logprob + platt", "platt-logprob-1", 0.75)]}
    trials = [
        {"max_risk": risk, "answered": answered, "questions": 10, "wrong": 1}
        for risk, answered in ((0.05, 0), (0.1, 4), (0.2, 8))
    ]
    (row,) = table(report, [{"method": "logprob", "least_risk": 0.07, "risks": trials}]).values()
    assert (row["auroc"]["value"], row["auroc_calibrated"]["value"], row["family"]) == (0.5, 0.75, "platt")
    assert (row["answered_at_10"]["value"], row["wrong_at_20"]["value"], row["least_risk"]) == (0.4, 0.125, 0.07)
    assert "answered_at_5" not in row


def test_of_nothing_there_is_no_share() -> None:
    assert share(0, 0) == {"value": None, "low": None, "high": None}
    found = share(1, 2)
    assert found["low"] is not None
    assert found["low"] < 0.5 == pytest.approx(found["value"])
