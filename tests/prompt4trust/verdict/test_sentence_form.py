"""The sentence that a reply in words is held to: what fits it is read as it says, and it reaches the server."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.models import Sampling
from prompt4trust.prompts import load_template, response_format
from prompt4trust.verdict import Verdict, parse_verdict
from prompt4trust.verdict.sentence_form import verdict_sentence
from services.common.clients.chat_request import ChatRequest

OPTIONS = {"A": "Left", "B": "Right", "C": "Both"}


@given(st.sampled_from("ABC"), st.integers(0, 100), st.sampled_from(["", "Finding: Round. "]))
def test_what_fits_is_read_as_it_says(letter: str, confidence: int, before: str) -> None:
    text = f"{before}The answer is {letter} with confidence {confidence}."
    assert re.fullmatch(verdict_sentence(OPTIONS, "per-cent", "conclude-first"), text)
    found = parse_verdict(text, OPTIONS)
    assert isinstance(found, Verdict)
    assert (found.answer, found.confidence) == (letter, confidence / 100)


@pytest.mark.parametrize(
    "text",
    [
        "The answer is D with confidence 50.",
        "The answer is A with confidence 101.",
        "The answer is A with confidence 05.",
        "The answer is A with confidence high.",
        "The answer is A.",
        "x" * 81 + ". The answer is A with confidence 50.",
        "8999999.99998.",
        "The answer is E with confidence 94. The answer is A with confidence 50.",
        "The answer is A with confidence 94.8",
    ],
)
def test_what_is_no_verdict_does_not_fit(text: str) -> None:
    assert not re.fullmatch(verdict_sentence(OPTIONS, "per-cent", "conclude-first"), text)


def test_order_and_scale_are_the_templates() -> None:
    reasons = "It is round.\n" * 20
    probable = verdict_sentence(OPTIONS, "probability", "reason-first")
    assert re.fullmatch(probable, f"{reasons}The answer is B with confidence 0.75.")
    assert not re.fullmatch(probable, "The answer is B with confidence 75.")
    first = verdict_sentence(OPTIONS, "per-cent", "conclude-first")
    assert re.fullmatch(first, f"the answer is B with confidence 75. {reasons}")
    assert re.fullmatch(verdict_sentence({}, "per-cent", "conclude-first"), "The answer is a mass with confidence 9.")


def test_the_form_is_sent_in_vllms_words_and_left_out_where_it_is_refused() -> None:
    form = response_format(load_template("answer-compact-held@1"), OPTIONS)
    request = ChatRequest("m", [], Sampling(response_format=form))
    assert request.body()["structured_outputs"] == json.loads(form or "")["structured_outputs"]
    assert "response_format" not in request.body()
    assert request.body({"response_format"}) == ChatRequest("m", [], Sampling()).body()
    assert not request.can_change("json_object")
    assert request.omission("response_format") == "response-format"
    held, free = load_template("answer-compact-held@1"), load_template("answer-compact@1")
    assert (held.user, held.system) == (free.user, free.system)
    assert held.id != free.id  # and so is every calibration key
