"""The benchmark of intervals: a small, fast version with fixed seeds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy.stats import binom
from typer.testing import CliRunner

from benchmarks.intervals.__main__ import RESULTS, main
from benchmarks.intervals.designs import DESIGNS, PAIRS, population_error
from benchmarks.intervals.study import Coverage, count_again, cover
from prompt4trust.metrics import Interval
from prompt4trust.metrics.calibration import ace_of, ece_of

PAGE = Path(__file__).parents[2] / "docs" / "results-intervals.md"


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


def test_a_share_near_an_edge_is_counted_again_on_other_samples() -> None:
    def of(held: int) -> Coverage:
        return Coverage.of(0.1, [Interval(0.1, 0.0, 0.2)] * held + [Interval(0.3, 0.2, 0.4)] * (100 - held), [])

    assert [of(held).near_an_edge for held in (90, 94, 95, 96, 99)] == [True, True, False, True, True]
    assert [of(held).beyond for held in (92, 93, 97, 98)] == [True, False, False, True]
    more = count_again("calibrated, one confidence", 30, "ace", 40, resamples=50)
    assert (more.samples, more.truth, more.value_outside) == (40, 0, 0)
    assert more.held >= 0.8


def test_calibrated_answers_are_covered_where_the_bootstrap_never_did() -> None:
    found = cover("calibrated, seven confidences", 50, 60, resamples=100)
    assert found["ece"].held >= 0.86
    assert found["ece"].value_outside == 0
    assert found["ece"].bootstrap < 0.3


def test_the_table_is_printed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.intervals.designs._POPULATION", 20_000)
    app, kept = typer.Typer(), tmp_path / "results.json"
    app.command()(main)
    printed = CliRunner().invoke(
        app, ["--samples", "10", "--again", "6", "--n", "30", "--resamples", "10", "--output", str(kept)]
    )
    assert printed.exit_code == 0, printed.output
    assert "calibrated, even" in printed.output
    cells = json.loads(kept.read_text())["cells"]
    assert set(cells) == {"ece", "ace", "accuracy", "ece_difference"}
    assert set(cells["ece"]) == set(DESIGNS)
    assert set(cells["ece_difference"]) == set(PAIRS)
    assert cells["ece"]["calibrated, even"]["30"]["value_outside"] == 0
    # One of ten samples more or less is always beyond an edge, and so is one of six: each error is counted on twice
    # as many in the end, and nothing else is.
    assert {each["30"]["samples"] for name in ("ece", "ace") for each in cells[name].values()} == {12}
    assert {each["30"]["samples"] for each in cells["accuracy"].values()} == {10}


def test_cells_are_counted_one_at_a_time_into_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.intervals.designs._POPULATION", 20_000)
    app, kept = typer.Typer(), tmp_path / "results.json"
    app.command()(main)

    def count(*named: str) -> int:
        options = ["--samples", "10", "--again", "0", "--resamples", "10", "--output", str(kept)]
        return CliRunner().invoke(app, [*options, *named]).exit_code

    def cells() -> dict[str, dict[str, list[str]]]:
        found = json.loads(kept.read_text())["cells"]
        return {metric: {name: list(each) for name, each in rows.items()} for metric, rows in found.items()}

    assert count("--only", "calibrated, one confidence", "--n", "40") == 0
    assert count("--only", "calibrated, one confidence", "--n", "20") == 0
    assert count("--only", "calibrated, high confidences", "--n", "20") == 0
    assert count("--only", "calibrated less calibrated", "--n", "20") == 0
    both = {"calibrated, high confidences": ["20"], "calibrated, one confidence": ["20", "40"]}
    assert cells() == {
        **dict.fromkeys(("ece", "ace", "accuracy"), both),
        "ece_difference": {"calibrated less calibrated": ["20"]},
    }
    # Cells that were counted in another way are no part of one table.
    assert count("--only", "calibrated, one confidence", "--n", "20", "--seed", "1") != 0
    assert count("--only", "no such design") != 0
    assert list(cells()["ece"]) == list(both)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_documents_say_what_was_counted(design: str) -> None:
    counted = json.loads(RESULTS.read_text(encoding="utf-8"))["cells"]
    [row] = re.findall(rf"^\| {re.escape(design)} \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [counted[metric][design][n] for metric in ("ece", "ace") for n in ("50", "200", "1000")]
    marks = {500: "", 1000: "¹", 2000: "²", 4000: "⁴"}
    assert row.split(" | ") == [
        f"{100 * each['held']:.1f}{marks[each['samples']]} ({100 * each['bootstrap']:.0f})" for each in cells
    ]
    for each in cells:
        assert each["value_outside"] == 0
        # What a share of 0.93 or 0.97 yields in all but 1 of 1 000 counts.
        right = each["held"] * each["samples"]
        assert binom.ppf(0.001, each["samples"], 0.93) <= right + 0.5
        assert right - 0.5 <= binom.ppf(0.999, each["samples"], 0.97)
