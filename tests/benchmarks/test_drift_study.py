"""The benchmark of the drift alarm: small, fast versions with fixed seeds, against the test that a gateway runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy.stats import binom
from typer.testing import CliRunner

from benchmarks.drift.__main__ import main
from benchmarks.drift.streams import SHIFTS, beta_mixture, real_answers, shift_to, shipped_confidences
from benchmarks.drift.study import NEVER, first_crossings, try_calibrated, try_shift, try_shuffled
from prompt4trust.calibration import fit_artifact
from prompt4trust.metrics import expected_calibration_error
from prompt4trust.monitoring import SequentialTest
from tests.support.calibration_keys import whole_key

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "calibrators"


def test_many_streams_at_once_are_each_as_the_test_sees_it_alone() -> None:
    rng = np.random.default_rng(3)
    confidence = beta_mixture(rng, (250, 4))
    right = rng.random(confidence.shape) < confidence - np.array([0.0, 0.1, 0.25, 0.3])
    (found,) = first_crossings(confidence, right, 0.02, [0.05])
    for stream in range(4):
        test = SequentialTest(0.05, 0.02)
        test.update(confidence[:, stream], right[:, stream])
        assert found[stream] == (NEVER if test.alarm is None else test.alarm.answer)
    assert (found < NEVER).sum() >= 2


@pytest.mark.parametrize("kind", SHIFTS)
def test_a_shift_lifts_the_calibration_error_to_what_is_asked_for_and_is_found_soon(kind: str) -> None:
    truth = shift_to(kind, beta_mixture, 0.1)
    rng = np.random.default_rng(7)
    confidence = beta_mixture(rng, (200_000,))
    right = rng.random(len(confidence)) < truth(confidence, rng.random(len(confidence)))
    assert expected_calibration_error(confidence, right) == pytest.approx(0.1, abs=0.006)
    (late,) = try_shift(beta_mixture, truth, streams=40, start=300, answers=700, tolerance=0.02, seed=1)
    assert late.early <= 4
    assert late.median is not None
    assert 20 < late.median < 600
    assert late.within > 0.5


def test_false_alarms_are_few_even_at_the_edge_of_what_is_tolerated() -> None:
    for off in (0.0, -0.02):
        (counted,) = try_calibrated(beta_mixture, streams=120, answers=600, tolerance=0.02, off=off)
        assert counted.alarms <= binom.ppf(0.999, 120, 0.05)
        assert counted.low <= counted.share <= counted.high
    # What is not tolerated is found: the count above can fail.
    (counted,) = try_calibrated(beta_mixture, streams=20, answers=600, tolerance=0.0, off=-0.2)
    assert counted.share > 0.9


def test_real_answers_are_counted_by_the_orders_that_raise_an_alarm() -> None:
    rng = np.random.default_rng(5)
    confidence = beta_mixture(rng, (400,))
    (exact,) = try_shuffled(confidence, rng.random(400) < confidence, streams=20, tolerance=0.02)
    assert (exact.streams, exact.answers, exact.alarms) == (20, 400, 0)
    (off,) = try_shuffled(confidence, rng.random(400) < confidence - 0.3, streams=20, tolerance=0.02)
    assert off.alarms == 20


def test_a_runs_answers_are_corrected_by_the_calibrators_of_its_models_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    stated = rng.uniform(0.5, 0.99, 80)
    right = rng.random(80) < 0.6
    folder = tmp_path / "calibrators"
    folder.mkdir()
    for policy in ("p1", "p2"):
        pair = whole_key(downstream="m", policy=policy, estimator="cgp", answer_template="t@1")
        made = fit_artifact(
            stated,
            right,
            name=policy,
            family="platt",
            key=pair,
            dataset="d",
            clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            resamples=10,
        )
        made.save(folder / f"{policy}.json")
    manifest = {
        **{"dataset": "d", "data_hash": "0" * 64, "questions": 2, "estimators": ["cgp"], "downstream": "m"},
        **{"policy": "p2", "template": "t@1 (abc)", "software": "s", "created": "2026-01-01T00:00:00Z"},
        "sampling": {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_tokens": 9, "seed": None},
    }
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    cost = {"calls": 1, "prompt_tokens": 1, "completion_tokens": 1, "seconds": 0.1}
    rows = [
        {"id": name, "estimator": "cgp", "truth": "A", "answer": answer, "confidence": stated, "text": "", "cost": cost}
        for name, answer, stated in (("a", "A", 0.9), ("b", "B", 0.7), ("c", None, None))
    ]
    (tmp_path / "predictions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    ((name, confidence, correct),) = real_answers(tmp_path, folder)
    assert name == "p2"
    assert confidence.tolist() == made.calibrator().apply(np.array([0.9, 0.7])).tolist()
    assert correct.tolist() == [True, False]


def test_the_command_writes_its_figures(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(main)
    out = tmp_path / "results.json"
    options = [
        "--streams",
        "10",
        "--answers",
        "20",
        "--shifted",
        "10",
        "--start",
        "5",
        "--after",
        "20",
        "--output",
        str(out),
    ]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    figures = json.loads(out.read_text())
    assert set(figures["shifted"]) == set(SHIFTS)
    assert {f"shipped {name}" for name in shipped_confidences(SHIPPED)} < set(figures["calibrated"])
    assert "false alarms" in done.output
