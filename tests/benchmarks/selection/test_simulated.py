"""The benchmark of promises on few rows: its procedures against the product and plain loops, on few draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy.stats import binom
from typer.testing import CliRunner

from benchmarks.selection.populations import PER_CENTS, POPULATIONS
from benchmarks.selection.procedures import (
    PROCEDURES,
    TWENTIETHS,
    fixed_sequence,
    holm,
    learn_then_test,
    several_starts,
)
from benchmarks.selection.simulated import main, try_procedures
from prompt4trust.selection import RiskRule, start_counts

SURE = POPULATIONS["calibrated, mostly sure"]


def test_populations_have_the_risk_that_they_are_drawn_with() -> None:
    for name, population in POPULATIONS.items():
        assert population.mass.sum() == pytest.approx(1), name
        assert ((population.wrong >= 0) & (population.wrong <= 1)).all(), name
        rank, wrong = population.draw(np.random.default_rng(0), 4, 5000)
        for part in (0.2, 1.0):
            found = wrong[rank <= part]
            assert population.risk(np.array(part)) == pytest.approx(found.mean(), abs=4 * 0.5 / np.sqrt(len(found)))
    assert SURE.risk(np.array(SURE.most(0.1))) == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("max_risk", [0.05, 0.1, 0.2])
def test_the_product_answers_as_far_down_as_the_benchmark_says(max_risk: float) -> None:
    rank, wrong = SURE.draw(np.random.default_rng(1), 25, 300)
    found = several_starts(SURE, rank, wrong, max_risk, 0.05)
    for each in range(25):
        limit = RiskRule(1 - rank[each], wrong[each], start_counts(300), 0.05).at(max_risk)
        assert (rank[each] <= found[each]).sum() == (limit.accepted if limit else 0)


def test_the_procedures_of_others_are_theirs() -> None:
    rank, wrong = SURE.draw(np.random.default_rng(2), 20, 800)
    ends = np.array([SURE.mass[threshold - 1e-9 <= PER_CENTS].sum() for threshold in TWENTIETHS])
    plain, stepped, one = (
        procedure(TWENTIETHS)(SURE, rank, wrong, 0.1, 0.05) for procedure in (learn_then_test, holm, fixed_sequence)
    )
    for each in range(20):
        seen = [(int((rank[each] <= end).sum()), int(wrong[each][rank[each] <= end].sum())) for end in ends]
        p = np.array([binom.cdf(errors, n, 0.1) if n else 1.0 for n, errors in seen])
        assert plain[each] == pytest.approx(max(ends[p <= 0.05 / len(ends)], default=0))
        left = list(range(len(ends)))
        while left and p[least := min(left, key=lambda place: p[place])] <= 0.05 / len(left):
            left.remove(least)
        assert stepped[each] == pytest.approx(max((end for at, end in enumerate(ends) if at not in left), default=0))
        # Neither bound is below the exact chance, so that such a sequence never comes further than exact tests.
        failed = np.flatnonzero(p > 0.05)
        assert one[each] <= (ends[-1] if len(failed) == 0 else ends[failed[0] - 1] if failed[0] else 0) + 1e-9


def test_outcomes_are_counted_and_kept(tmp_path: Path) -> None:
    found = try_procedures(SURE, 300, 60, (0.1,))[0.1]
    assert list(found) == list(PROCEDURES)
    ours, split = found["several starts"], found["one start, placed by a tenth"]
    assert ours.beside == 0
    assert split.answered - ours.answered == pytest.approx(split.beside)
    assert 0 < ours.answered < SURE.most(0.1)
    assert all(each.broken <= 0.2 for each in found.values())
    app, kept = typer.Typer(), tmp_path / "results.json"
    app.command()(main)
    printed = CliRunner().invoke(app, ["--draws", "10", "--n", "100", "--output", str(kept)])
    assert printed.exit_code == 0, printed.output
    cells = json.loads(kept.read_text())["cells"]
    assert set(cells) == set(POPULATIONS)
    assert set(cells["overconfident"]) == {"0.05", "0.1", "0.2"}
