"""Stopping beside all samples: the same draws, the product's own rule, and margins that say what is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.confidence.answer_runs import TEMPLATE
from benchmarks.sampling.budgets import Drawn, draw
from benchmarks.sampling.stopping import (
    ALL,
    PRODUCT,
    RULES,
    SHARE,
    STATED,
    answers,
    lost_at_most,
    measured,
    named,
    tell,
)
from prompt4trust.estimators._stopping import looks
from prompt4trust.estimators.cgp_vote import DRAWS
from prompt4trust.questions import Question
from tests.benchmarks.sampling.test_budgets import Drawing
from tests.support.models import ScriptedPolicy


@pytest.fixture
async def drawn() -> list[Drawn]:
    asked = [
        Question(f"q{n}", f"Which half is number {n}?", {"A": "Left", "B": "Right"}, answer="A") for n in range(60)
    ]
    return [await draw(each, Drawing(), ScriptedPolicy()) for each in asked]


def test_the_rule_of_the_product_is_among_them(drawn: list[Drawn]) -> None:
    assert DRAWS.error is not None
    plan = {each.drawn: each for each in looks(DRAWS.count, DRAWS.error)}
    stopped = [RULES[PRODUCT](each) for each in drawn]
    assert set(stopped) <= {*plan, DRAWS.count}
    assert len(set(stopped)) > 1
    assert {RULES[ALL](each) for each in drawn} == {DRAWS.count}
    for each, count in zip(drawn, stopped, strict=True):
        votes = [group for group in each.first(count).groups() if group is not None]
        counts = sorted((votes.count(letter) for letter in "AB"), reverse=True)
        lead = counts[0] - counts[1]
        assert count == DRAWS.count or lead >= (plan[count].lead or DRAWS.count + 1)


def test_ways_to_count_differ_in_the_confidence_alone(drawn: list[Drawn]) -> None:
    for rule in RULES.values():
        shares, stated = answers(drawn, rule, SHARE), answers(drawn, rule, STATED)
        assert [(each.answer, each.cost.calls) for each in shares] == [
            (each.answer, each.cost.calls) for each in stated
        ]
        assert [each.confidence for each in shares] == [each.signals["vote_share"] for each in stated]
        assert all("vote_share" not in each.signals for each in shares)  # it would be the confidence once more


def test_figures_are_paired_with_all_samples_and_say_what_may_be_lost(drawn: list[Drawn], tmp_path: Path) -> None:
    rows = measured(drawn, 4)
    tell(rows, {"part": "made up"}, tmp_path / "results.json")
    told = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [each["method"] for each in told["rows"]] == [named(rule, way) for way in (SHARE, STATED) for rule in RULES]
    assert (told["settings"]["questions"], told["settings"]["template"]) == (60, TEMPLATE)
    paired = told[f"less {named(ALL, SHARE)}"]
    assert set(paired) == {each["method"] for each in told["rows"]} - {named(ALL, SHARE)}
    assert paired[named("first 5", SHARE)]["calls_saved"] == 16
    assert paired[named(ALL, STATED)]["accuracy"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_margin_is_what_the_interval_lets_it_lose() -> None:
    assert lost_at_most({"low": -0.02, "high": 0.01}) == 0.02
    assert lost_at_most({"low": 0.001, "high": 0.01}) == 0.0
    assert lost_at_most({"low": None, "high": None}) is None
