"""The benchmark of intervals: a small, fast version with fixed seeds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.intervals.__main__ import main
from benchmarks.intervals.designs import DESIGNS, PAIRS, population_error
from benchmarks.intervals.study import Coverage, cover
from prompt4trust.metrics import Interval
from prompt4trust.metrics.calibration import ace_of, ece_of


def test_a_population_has_the_error_that_its_design_says() -> None:
    assert population_error(DESIGNS["overconfident, one confidence"], ece_of) == pytest.approx(0.25)
    assert population_error(DESIGNS["5 points overconfident"], ace_of) == pytest.approx(0.05)
    assert population_error(DESIGNS["calibrated, seven confidences"], ece_of) == pytest.approx(0, abs=1e-9)


def test_coverage_counts_both_sides() -> None:
    found = [Interval(0.1, 0.0, 0.2), Interval(0.5, 0.3, 0.6), Interval(0.1, 0.05, 0.08), Interval(0.2, 0.1, 0.3)]
    counted = Coverage.of(0.15, found, found[:2])
    assert (counted.held, counted.below, counted.above) == (0.5, 0.25, 0.25)
    assert (counted.value_outside, counted.bootstrap) == (0.25, 0.5)
    assert counted.width == pytest.approx(np.mean([0.2, 0.3, 0.03, 0.2]))


def test_calibrated_answers_are_covered_where_the_bootstrap_never_did() -> None:
    found = cover("calibrated, seven confidences", 50, 60, resamples=100)
    assert found["ece"].held >= 0.86
    assert found["ece"].value_outside == 0
    assert found["ece"].bootstrap < 0.3


def test_the_table_is_printed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.intervals.designs._POPULATION", 20_000)
    app, kept = typer.Typer(), tmp_path / "results.json"
    app.command()(main)
    printed = CliRunner().invoke(app, ["--samples", "10", "--n", "30", "--resamples", "10", "--output", str(kept)])
    assert printed.exit_code == 0, printed.output
    assert "calibrated, even" in printed.output
    cells = json.loads(kept.read_text())["cells"]
    assert set(cells) == {"ece", "ace", "accuracy", "ece_difference"}
    assert set(cells["ece"]) == set(DESIGNS)
    assert set(cells["ece_difference"]) == set(PAIRS)
    assert cells["ece"]["calibrated, even"]["30"]["value_outside"] == 0
