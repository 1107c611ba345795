"""A run's files: figures of a batch, and no step written twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.trainer.grpo.journal import Journal, summarize_outcomes
from services.trainer.run_files.json_lines import read_lines
from tests.services.trainer.grpo.outcomes import outcome


def test_a_batch_in_figures() -> None:
    seen = [outcome("A", 0.9), outcome("B", 0.9), outcome(None), outcome("A", reward=None)]
    figures = summarize_outcomes(seen, 2.0)
    assert figures["masked"] == 1
    assert figures["accuracy"] == pytest.approx(1 / 3)
    assert figures["valid_rate"] == pytest.approx(2 / 3)
    assert figures["brier"] == pytest.approx((0.01 + 0.81 + 0) / 3)
    # Two at 0.9, half of them right, and one invalid, wrong at 0.
    assert figures["ece"] == pytest.approx(2 / 3 * 0.4)
    assert figures["confidence_mean"] == pytest.approx(0.9)
    assert figures["confidence_sd"] == pytest.approx(0)
    assert figures["downstream_tokens_per_s"] == pytest.approx(7.5)
    assert summarize_outcomes([outcome("A", reward=None)], 1.0) == {"masked": 1}


def test_a_resumed_run_writes_no_step_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 2)
    for step in (1, 2, 3):
        journal.step({"step": step, "loss": float("nan") if step == 2 else 0.5})
        journal.samples(step, [outcome("A", 0.5, -step), outcome("B", 0.5, -9.0), outcome("A", 0.5, None)])
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 4, "lo')  # what a crash leaves
    journal.close()
    journal.rewind(2)
    assert [(record["step"], record["loss"]) for record in read_lines(tmp_path / "metrics.jsonl")] == [
        (1, 0.5),
        (2, None),
    ]
    kept = list(read_lines(tmp_path / "samples.jsonl"))
    assert [(record["step"], record["reward"]) for record in kept] == [(1, -9.0), (1, -1), (2, -9.0), (2, -2)]
    assert kept[0]["guidance"] == "hint"
    assert kept[0]["reply"] == "reply"
    assert any((tmp_path / "tensorboard").iterdir())
