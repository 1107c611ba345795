"""Replies in every form that templates ask for, read by the parser that the gateway reads them with."""

from __future__ import annotations

import json

import pytest

from prompt4trust.prompts import load_template, response_format
from prompt4trust.verdict import Verdict, parse_verdict
from services.common.engine.constraints.grammars import GrammarCompiler
from services.common.engine.interface import Constraint
from services.downstream.contrastive.forms import FREE, HELD, Form, cut_in_pieces, fitting_form

OPTIONS = {"A": "Left", "B": "Right", "C": "None"}
PROBABILITIES = [("A", 0.873), ("B", 0.124), ("C", 0.003)]


@pytest.fixture(scope="module")
def compiler() -> GrammarCompiler:
    return GrammarCompiler.of_bytes()


@pytest.mark.parametrize("form", [each for each in HELD if each("A", 0.5) != "A"])
@pytest.mark.parametrize("probability", [0.0, 0.003, 0.01, 0.334, 0.873, 0.999, 1.0])
def test_a_reply_says_its_letter_and_its_probability(form: Form, probability: float) -> None:
    verdict = parse_verdict(form("B", probability), list(OPTIONS))
    assert isinstance(verdict, Verdict)
    assert verdict.answer == "B"
    assert verdict.confidence == pytest.approx(probability, abs=0.0101)
    assert verdict.confidence is not None
    assert verdict.confidence < 1


@pytest.mark.parametrize("form", HELD)
def test_pieces_are_the_text_and_one_is_the_letter(form: Form) -> None:
    for letter in "ABZ":
        reply = cut_in_pieces(form, letter, 0.42)
        assert "".join(reply.pieces) == form(letter, 0.42)
        assert reply.pieces[reply.letter_at].strip() == letter


@pytest.mark.parametrize("scale", ["per-cent", "probability"])
@pytest.mark.parametrize("order", ["conclude-first", "reason-first"])
@pytest.mark.parametrize("kind", ["json_schema", "json_object", "sentence"])
def test_what_templates_hold_a_reply_to_is_met(compiler: GrammarCompiler, kind: str, scale: str, order: str) -> None:
    plain = load_template("answer-json@1")
    template = plain.model_copy(update={"response_format": kind, "scale": scale, "order": order})
    wanted = json.loads(response_format(template, OPTIONS) or "")
    if kind == "sentence":
        constraint = Constraint("regex", wanted["structured_outputs"]["regex"])
    elif kind == "json_object":
        constraint = Constraint("json", '{"type":"object"}')
    else:
        constraint = Constraint("json", json.dumps(wanted["json_schema"]["schema"]))
    form, allowed = fitting_form(compiler.compile(constraint).holds, PROBABILITIES)
    assert allowed == ["A", "B", "C"]
    verdict = parse_verdict(form("A", 0.873), list(OPTIONS))
    assert isinstance(verdict, Verdict)
    assert verdict.confidence == pytest.approx(0.873, abs=0.0051)


def test_a_choice_of_letters_is_met_and_narrows_them(compiler: GrammarCompiler) -> None:
    form, allowed = fitting_form(compiler.compile(Constraint("choice", '["A", "C", "maybe"]')).holds, PROBABILITIES)
    assert (form("C", 0.5), allowed) == ("C", ["A", "C"])


def test_a_form_that_this_model_cannot_write_allows_no_letter(compiler: GrammarCompiler) -> None:
    assert fitting_form(compiler.compile(Constraint("regex", "[0-9]+")).holds, PROBABILITIES) == (FREE, [])
