"""A judgement on the validation split, and the best policy's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.trainer.errors import TooManyLostError
from services.trainer.grpo.checkpoints import selection
from tests.services.trainer.grpo.outcomes import outcome


def test_a_judgement_leaves_lost_questions_out() -> None:
    seen = [outcome("A", 0.8, -0.2)] * 6 + [outcome("B", 0.8, -2.6)] * 2 + [outcome("A", reward=None)]
    judged = selection.judge(seen, max_lost_share=0.2, resamples=50, seed=0)
    assert (judged["n"], judged["masked"]) == (8, 1)
    assert judged["metrics"]["accuracy"]["value"] == 0.75
    assert judged["metrics"]["reward"]["value"] == pytest.approx((6 * -0.2 + 2 * -2.6) / 8)
    assert (
        judged["metrics"]["reward"]["low"] < judged["metrics"]["reward"]["value"] < judged["metrics"]["reward"]["high"]
    )
    with pytest.raises(TooManyLostError, match="1 of 9"):
        selection.judge(seen, max_lost_share=0.1, resamples=50, seed=0)


def test_the_better_policy_takes_the_best_one_s_place(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
        selection.keep_best(tmp_path / name, tmp_path)
    assert (tmp_path / "best" / "config.json").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_kill_while_the_best_is_replaced_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
    selection.keep_best(tmp_path / "first", tmp_path)
    move, moves = Path.rename, []

    def dies_at_the_second(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 2:
            raise KeyboardInterrupt
        return move(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            selection.keep_best(tmp_path / "second", tmp_path)
    assert (selection.find_best(tmp_path) / "config.json").read_text() == "first"
    selection.keep_best(tmp_path / "third", tmp_path)
    assert (selection.find_best(tmp_path) / "config.json").read_text() == "third"
