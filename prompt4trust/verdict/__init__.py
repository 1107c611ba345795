"""Verdicts read from a model's text: the option chosen and the confidence stated, or the reason why there is none.

A reply is read right or not at all. First everything is taken away that is not the model's statement: its thoughts, its
markup, what it repeats of the question, what it quotes. Then all answers that it claims and all confidences that it
states are listed, and doubts, denials, suppositions and reports of what others say are dropped. A verdict is what is
left if it is one. Every expression is possessive or bounded, so that reading takes time linear in the text.
"""

from __future__ import annotations

from prompt4trust.verdict.certainty.score import certainty_score
from prompt4trust.verdict.certainty.self_assessment import SelfAssessment, mark_self_assessments, self_assessments
from prompt4trust.verdict.confidences import Scale
from prompt4trust.verdict.guesses import Guess, read_guesses
from prompt4trust.verdict.outcome import Invalid, InvalidReason, Verdict
from prompt4trust.verdict.own_parser import Asked, OwnParser, load_parser, split_name
from prompt4trust.verdict.parsing import answers_in, parse_verdict
from prompt4trust.verdict.reading import Order
from prompt4trust.verdict.steering import steers

__all__ = [
    "Asked",
    "Guess",
    "Invalid",
    "InvalidReason",
    "Order",
    "OwnParser",
    "Scale",
    "SelfAssessment",
    "Verdict",
    "answers_in",
    "certainty_score",
    "load_parser",
    "mark_self_assessments",
    "parse_verdict",
    "read_guesses",
    "self_assessments",
    "split_name",
    "steers",
]
