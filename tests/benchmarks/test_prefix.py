"""The loads of the prefix benchmark are the project's own prompts, and its averages are right."""

from __future__ import annotations

import math

import pytest

from benchmarks.prefix.loads import HINTS, Turn, prompt
from benchmarks.prefix.report import figures, ratio
from benchmarks.prefix.setting import questions
from prompt4trust.prompts import answer_messages, load_template


def test_prompts_are_the_project_s_but_for_the_order_that_is_compared_with() -> None:
    (asked,) = questions(1, seed=3)
    guidance = f"In case {asked.number} this: {HINTS[0]}"
    ours = prompt(asked, HINTS[0])
    assert ours == answer_messages(
        load_template("answer-compact@1"), asked.text, asked.options, image_url=asked.image_url, guidance=guidance
    )
    ((first, picture, text),) = [message["content"] for message in prompt(asked, HINTS[0], guidance_first=True)]
    assert (first["text"], picture["type"]) == (f"Guidance: {guidance}\n", "image_url")
    assert guidance not in text["text"]
    assert asked.text in text["text"]


def test_ratios_are_averaged_as_ratios_are() -> None:
    found = ratio([1.0, 4.0])
    # Student's t with one degree of freedom has its 97.5 % quantile at 12.706.
    half = 12.7062 * (math.log(4) / math.sqrt(2)) / math.sqrt(2)
    assert found["mean"] == pytest.approx(2)
    assert found["low"] == pytest.approx(math.exp(math.log(2) - half), rel=1e-3)
    assert found["high"] == pytest.approx(math.exp(math.log(2) + half), rel=1e-3)


def test_turns_are_summed_up() -> None:
    rounds = [(Turn(1.0, 0.5, 100, 80), Turn(2.0, 1.5, 100, 0)), (Turn(1.0, 0.5, 300, 240), Turn(2.0, 1.5, 300, 0))]
    found = figures({"load": rounds}, questions=4)["load"]
    assert found["hit_rate"] == 0.8
    assert found["hit_rate_without"] == 0.0
    assert found["prompt_tokens_a_question"] == 50
    assert (found["times_less"]["mean"], found["times_less_busy"]["mean"]) == (pytest.approx(2), pytest.approx(3))
