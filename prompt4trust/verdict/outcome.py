"""The outcomes of reading: a verdict, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

CUT_OFF: Final = frozenset(
    {"length", "max_tokens", "model_length", "incomplete"}
    | {"content_filter", "safety", "recitation"}
    | {"tool_calls", "tool_call", "tool_use", "function_call"}  # it would have gone on with what the tool says
)
"""Servers' words for a text that did not come to its end."""
DECLINED: Final = "refusal"
"""A server's word for a text that declines to answer."""

InvalidReason = Literal[
    "empty",
    "no_answer",
    "no_confidence",
    "unknown_option",
    "ambiguous",
    "cut_off",
    "leading_question",
    "no_logprobs",
    "no_options",
    "no_image",
    "parser_failed",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A model's decision.

    Attributes:
        answer: The chosen option's letter (upper case); for an open question the answer's text.
        confidence: Stated confidence in [0, 1].
    """

    answer: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Invalid:
    """Reason why a text holds no verdict; reported as such and never guessed.

    Attributes:
        reason: "empty": nothing but blanks; "no_answer": no answer is stated; "unknown_option": letters are given, but
            none of them is an option; "no_confidence": there is an answer and no readable confidence; "ambiguous": the
            text states alternatives, or verdicts that differ; "cut_off": thoughts, a number or a letter may be
            incomplete; "leading_question": the question or an option reads as a verdict, so that a reply that repeats
            it could not be told from an answer; "parser_failed": a parser of the user's own raised, or gave no verdict
            on this question. The other three are said by estimators that cannot be applied: "no_logprobs": the server
            gave no log-probabilities for the answer's letter or text; "no_options", "no_image": the question has none.
    """

    reason: InvalidReason
