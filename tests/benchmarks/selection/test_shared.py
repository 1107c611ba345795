"""The benchmark of promises where questions share pictures: its draws, its procedures, its figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy.stats import binom
from typer.testing import CliRunner

from benchmarks.selection import shared
from benchmarks.selection.shared import ASKED, NAMES, RESULTS, draw, main, population_of, try_procedures
from benchmarks.selection.shared_procedures import PROCEDURES, Checked, bets, drawn_apart, one_by_one
from prompt4trust.selection import RiskRule
from prompt4trust.selection.starts import start_counts_apart


@pytest.mark.parametrize("alike", [0.0, 1.0])
def test_answers_have_the_risk_and_are_as_alike_as_they_are_said_to_be(alike: float) -> None:
    population, random = population_of(NAMES[1], 0.1), np.random.default_rng(0)
    for asked in ASKED.values():
        checked = draw(population, asked, 4000, alike, random)
        assert (np.diff(checked.rank) >= 0).all()
        risk = asked.among_all(population).risk(np.array(1.0))
        assert checked.wrong.mean() == pytest.approx(risk, abs=0.03)
        assert checked.most == asked.most
    flat = draw(population_of("just too risky", 0.2), ASKED["4"], 2000, alike, random)
    together = np.bincount(flat.picture, flat.wrong)
    assert set(together) == {0.0, 4.0} if alike else {1.0, 2.0} < set(together)


def test_what_is_above_an_answer_is_counted_by_picture() -> None:
    checked = Checked(np.arange(6) / 10, np.array([1, 0, 1, 1, 0, 1], dtype=np.bool_), np.array([0, 1, 0, 1, 0, 1]), 2)
    accepted, wrong = checked.above()
    assert accepted.tolist() == [0, 0, 1, 1, 2, 2]
    assert wrong.tolist() == [0, 0, 1, 0, 2, 1]
    orders = checked.orders(np.random.default_rng(0))
    assert sorted(orders[checked.picture == 0]) == sorted(orders[checked.picture == 1]) == [0, 1, 2]


def test_the_products_rule_is_its_own_and_all_agree_where_pictures_have_one_question() -> None:
    random = np.random.default_rng(3)
    rank = np.sort(random.random(120))
    checked = Checked(rank, random.random(120) < rank / 3, np.arange(120), 120)
    limit = RiskRule(1 - rank, checked.wrong, start_counts_apart(120), 0.05).at(0.2)
    assert limit is not None
    assert drawn_apart(checked, 0.2, 0.05, random) == pytest.approx(
        1.0 if limit.score == 0 else rank[limit.accepted - 1]
    )
    clean = Checked(rank, np.zeros(120, dtype=np.bool_), np.arange(120), 120)
    for name, answer in PROCEDURES.items():
        assert answer(clean, 0.2, 0.05, random) == 1.0, name


def test_bets_on_pictures_make_a_capital_that_is_fair_at_the_accepted_risk() -> None:
    # The mean over 4 000 draws of what one unit becomes; p is its inverse, cut at 1, so it is told by a loop here.
    random, capitals = np.random.default_rng(5), []
    for _ in range(4000):
        wrong = np.repeat(random.random(5) < 0.2, 3)
        capital = 0.0
        for part in (0.2, 0.4, 0.7, 0.98):
            own = wrong.reshape(5, 3).sum(axis=1) - 0.2 * 3
            capital += np.prod(1 - part / (3 * 0.8) * own) / 4
        capitals.append(capital)
    assert np.mean(capitals) == pytest.approx(1, abs=4 * np.std(capitals) / np.sqrt(4000))
    hopeless = Checked(np.arange(15) / 15, np.ones(15, dtype=np.bool_), np.repeat(np.arange(5), 3), 5)
    assert bets(hopeless, 0.2, 0.05, random) == 0


def test_questions_alone_break_promises_and_one_a_picture_keeps_them() -> None:
    found = try_procedures("just too risky", ASKED["4"], 100, 1.0, draws=150)[0.2]
    assert found["one a picture at most"].broken < 0.11
    assert found["questions one by one"].broken > 0.2
    assert one_by_one is PROCEDURES["questions one by one"]


def test_the_command_writes_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "NAMES", NAMES[:1])
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, ["--draws", "10", "--pictures", "25", "--output", str(tmp_path / "found.json")])
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "found.json").read_text())
    assert len(figures["cells"]) == len(ASKED) * 3 * 2 * len(PROCEDURES)


@pytest.mark.parametrize("name", ["results-shared.json", "results-shared-500.json"])
def test_the_stored_figures_show_a_promise_that_is_kept(name: str) -> None:
    figures = json.loads(RESULTS.with_name(name).read_text())
    assert {each["procedure"] for each in figures["cells"]} == set(PROCEDURES)
    own = [each["broken"] for each in figures["cells"] if each["procedure"] == next(iter(PROCEDURES))]
    assert max(own) <= binom.ppf(0.995, figures["settings"]["draws"], 0.05) / figures["settings"]["draws"]
