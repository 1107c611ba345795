"""The small-n study: its draws, one cell against a plain loop, and what it must find where the answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.calibration import __main__ as command
from benchmarks.calibration.effect import effect, verdict
from benchmarks.calibration.study import CHOSEN, Answers, draws, study
from prompt4trust.calibration import Platt
from prompt4trust.evaluation import Prediction
from prompt4trust.metrics import expected_calibration_error
from tests.prompt4trust.calibration.answers import overconfident


def predictions(n: int, seed: int = 0) -> list[Prediction]:
    stated, correct = overconfident(n, seed)
    return [
        Prediction(
            id=f"{seed}-{i}", estimator="cgp", truth="A", answer="A" if correct[i] else "B", confidence=stated[i]
        )
        for i in range(n)
    ]


ANSWERS = Answers.of(predictions(1500), "cgp")


def test_what_is_measured_on_was_not_fitted_on_and_is_always_as_many() -> None:
    for n in (50, 1000):
        listed = list(draws(1500, [50, 1000], n, 5, seed=0))
        assert len(listed) == 5
        for draw in listed:
            assert (len(draw.fitted), len(draw.measured)) == (n, 500)
            assert len({*draw.fitted, *draw.measured}) == n + 500
    with pytest.raises(ValueError, match="1199 answers leave 199 to measure on"):
        list(draws(1199, [1000], 1000, 1, seed=0))


def test_a_cell_is_a_plain_loop() -> None:
    errors = []
    for draw in draws(1500, [100], 100, 6, seed=4):
        fitted = Platt.fit(ANSWERS.confidence[draw.fitted], ANSWERS.correct[draw.fitted])
        corrected = fitted.apply(ANSWERS.confidence[draw.measured])
        errors.append(expected_calibration_error(corrected, ANSWERS.correct[draw.measured]))
    cell = study(ANSWERS, [100], times=6, seed=4, families=["platt"])["platt"][100]
    assert cell["ece"] == {
        "mean": pytest.approx(np.mean(errors)),
        "sd": pytest.approx(np.std(errors, ddof=1)),
        "lowest": min(errors),
        "highest": max(errors),
    }
    assert cell["refused"] == 0


def test_more_answers_help_and_curves_need_more_of_them_than_lines() -> None:
    others = Answers.of(predictions(4000, seed=9), "cgp")
    found = study(ANSWERS, [50, 800], others=others, times=8, families=["identity", "platt", "isotonic", "two-signal"])
    assert list(found) == ["identity", "platt", "isotonic"]  # these answers carry no second signal
    error = {family: {n: cell["ece"]["mean"] for n, cell in by_size.items()} for family, by_size in found.items()}
    assert error["identity"][50] == pytest.approx(error["identity"][800])
    assert error["identity"][50] > 0.2
    assert error["platt"][800] < error["platt"][50] < error["isotonic"][50]
    assert found["platt"][800]["ideal_ece"]["mean"] < error["platt"][50]


def test_the_choice_is_measured_like_a_family_and_draws_that_cannot_be_fitted_are_counted() -> None:
    found = study(ANSWERS, [60], times=3, families=[CHOSEN])[CHOSEN][60]
    assert sum(found["chosen"].values()) == 3
    stated = np.full(400, 0.9)
    rows = [Prediction(id=str(i), estimator="x") for i in range(400)]
    hardly = Answers(rows, stated, np.arange(400) < 398, {})
    cell = study(hardly, [20], times=10, families=["platt"])["platt"][20]
    assert cell["refused"] >= 5


def test_the_command_prints_a_table_and_keeps_the_figures(tmp_path: Path) -> None:
    table = tmp_path / "predictions.jsonl"
    table.write_bytes(b"".join(row.line() for row in predictions(450)))
    app = typer.Typer()
    app.command()(command.main)
    output = tmp_path / "results.json"
    arguments = [str(table), "--sizes", "50,200", "--draws", "2", "--no-choose", "--output", str(output)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "cgp: ECE after calibration on n answers, measured on 250 others, 2 draws" in result.output
    kept = json.loads(output.read_text())
    assert kept["setup"] == {"runs": ["predictions.jsonl"], "test": [], "sizes": [50, 200], "draws": 2, "seed": 1}
    assert kept["estimators"]["cgp"]["families"]["platt"]["200"]["ece"]["mean"] < 0.2
    result = CliRunner().invoke(app, [str(table), "--sizes", "300"])
    assert result.exit_code == 1
    assert "leave 150 to measure on" in result.output


def signalled(n: int, seed: int) -> list[Prediction]:
    """Answers of which a second signal knows what the stated confidence does not."""
    random = np.random.default_rng(seed)
    chance = random.uniform(0.05, 0.95, n)
    correct = random.random(n) < chance
    stated = np.round(np.clip(chance + random.normal(0, 0.3, n), 0.01, 0.99), 2)
    return [
        Prediction(
            id=f"{seed}-{i}", estimator="cgp+logprob", truth="A", answer="A" if correct[i] else "B",
            confidence=float(stated[i]), signals={"reply_probability": float(chance[i])},
        )
        for i in range(n)
    ]  # fmt: skip


def test_the_effect_is_what_the_correction_does_on_answers_it_never_saw() -> None:
    test = Answers.of(predictions(3000, seed=9), "cgp")
    found = effect(ANSWERS, test, rows=1000, draws=2, resamples=60, seed=3)
    assert (found["fitted_on"], found["measured_on"]) == (1000, 3000)
    before = expected_calibration_error(test.confidence, test.correct)
    assert found["ece"]["before"]["value"] == pytest.approx(before)
    assert found["ece"]["after"]["value"] < 0.25 * before
    assert found["ece"]["change"]["high"] < 0
    assert found["spread"]["ece_mean"] <= found["spread"]["ece_largest"]
    assert verdict(found) == "kept"
    assert "two_signal" not in found
    with pytest.raises(ValueError, match="too few"):
        effect(ANSWERS, test, rows=1501)


def test_a_second_signal_is_seen_to_raise_the_auroc() -> None:
    found = effect(
        Answers.of(signalled(1000, 1), "cgp+logprob"),
        Answers.of(signalled(1500, 2), "cgp+logprob"),
        rows=1000, draws=1, resamples=60,
    )  # fmt: skip
    assert found["two_signal"]["second"] == "reply_probability"
    assert found["two_signal"]["auroc"]["change"]["low"] > 0.03


def test_an_answer_that_lacks_a_signal_stays_as_stated() -> None:
    rows = signalled(600, 2)
    lacking = [row.model_copy(update={"signals": {}}) if place % 2 else row for place, row in enumerate(rows)]
    fitted_on = Answers.of(signalled(600, 1), "cgp+logprob")
    some, whole = (
        effect(fitted_on, Answers.of(each, "cgp+logprob"), rows=600, draws=1, resamples=5)["ece"]["after"]["value"]
        for each in (lacking, rows)
    )
    assert 0 < whole < some


def test_a_correction_that_makes_things_worse_is_called_so() -> None:
    assert verdict({"ece": {"ratio": {"low": 1.3, "high": 2.0}}}) == "worse"
    assert verdict({"ece": {"ratio": {"low": 1.0, "high": 2.0}}}) == "kept"
