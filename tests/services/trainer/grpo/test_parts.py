"""The parts of a run that need no model: order, records, checkpoints, the choice and the publishing of the best."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prompt4trust.datasets import Dataset
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question
from prompt4trust.verdict import Invalid, Verdict
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.trainer.grpo import selection
from services.trainer.grpo.checkpoints import fault, latest, seal
from services.trainer.grpo.config import PhantomData
from services.trainer.grpo.data import DataError, check_apart, draw_order, load_questions, training_rows
from services.trainer.grpo.journal import Journal, read_lines, summarize_outcomes
from services.trainer.grpo.policy_files import StartPolicyError, find_start
from services.trainer.grpo.reward_function import TooManyLostError
from services.trainer.grpo.scoring import GuidedOutcome

QUESTION = Question("q", "Number?", {"A": "x", "B": "y"}, "A")


def outcome(answer: str | None, confidence: float = 0.0, reward: float | None = 0.0) -> GuidedOutcome:
    verdict = Invalid("no_answer") if answer is None else Verdict(answer, confidence)
    return GuidedOutcome(QUESTION, "hint", "reply", None if reward is None else verdict, reward, 0.1, 5)


# --- Data -------------------------------------------------------------------------------------------------------------


def test_every_question_comes_before_any_comes_again() -> None:
    order = draw_order(10, 35, seed=1)
    assert all(Counter(order[at : at + 10]) == Counter(range(10)) for at in (0, 10, 20))
    assert order[:10] != order[10:20]
    assert order == draw_order(10, 35, seed=1)
    assert order[:20] == draw_order(10, 20, seed=1)  # a longer run begins alike
    assert order != draw_order(10, 35, seed=2)


def test_the_policy_s_side_sees_neither_truth_nor_picture() -> None:
    rows = training_rows([QUESTION], [0, 0], load_template("guide-compact@1"))
    assert [set(row) for row in rows] == [{"prompt", "question_id"}] * 2
    assert "Number?" in rows[0]["prompt"][-1]["content"]


def test_phantoms_are_drawn_once(tmp_path: Path) -> None:
    data = PhantomData(n=3, split="train", seed=5)
    first = load_questions(data, tmp_path)
    stamp = next(tmp_path.glob("*/questions.csv")).stat().st_mtime_ns
    assert load_questions(data, tmp_path).fingerprint == first.fingerprint
    assert next(tmp_path.glob("*/questions.csv")).stat().st_mtime_ns == stamp
    other = load_questions(PhantomData(n=3, split="validation", seed=5), tmp_path)
    check_apart(first, other)
    with pytest.raises(DataError, match="3 question"):
        check_apart(first, first)


def test_questions_without_a_truth_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 question"):
        check_apart(Dataset("a", (QUESTION,)), Dataset("b", (QUESTION,)))


# --- Records ----------------------------------------------------------------------------------------------------------


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


# --- Checkpoints ------------------------------------------------------------------------------------------------------


def checkpoint(folder: Path, step: int) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"weights" * step)
    (path / "optimizer.pt").write_bytes(b"moments")
    return path


def test_the_latest_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    assert latest(tmp_path) == (None, [])
    for step in (2, 4, 10):
        seal(checkpoint(tmp_path, step))
    assert latest(tmp_path) == (tmp_path / "checkpoint-10", [])
    checkpoint(tmp_path, 12)
    (tmp_path / "checkpoint-10" / "model.safetensors").write_bytes(b"Weights" * 10)
    (tmp_path / "checkpoint-4" / "optimizer.pt").unlink()
    found, remarks = latest(tmp_path)
    assert found == tmp_path / "checkpoint-2"
    assert [(path.name, wrong) for path, wrong in remarks] == [
        ("checkpoint-12", "it was not finished"),
        ("checkpoint-10", "model.safetensors is damaged"),
        ("checkpoint-4", "optimizer.pt is missing"),
    ]
    (tmp_path / "checkpoint-2" / "complete.json").write_text("{")
    assert "cannot be read" in str(fault(tmp_path / "checkpoint-2"))


# --- The choice -------------------------------------------------------------------------------------------------------


def record(step: int, **values: float | None) -> dict[str, Any]:
    return {"step": step, "metrics": {name: {"value": value} for name, value in values.items()}}


def test_the_best_by_a_named_objective() -> None:
    records = {
        each["step"]: each
        for each in (record(0, reward=0, ece=0.0), record(2, reward=-2, ece=0.1), record(4, reward=-1, ece=0.2))
    }
    records[6] = record(6, reward=-1, ece=None)
    assert selection.best_of(records, "reward") == records[4]  # the earlier of equals, and never the start
    assert selection.best_of(records, "ece") == records[2]
    assert selection.best_of({0: records[0]}, "reward") is None
    assert not selection.is_better(records[4], records[0], "reward")


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


# --- Where a run begins and what it publishes -------------------------------------------------------------------------


def policy(path: Path, template: str | None = "guide-compact@1") -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    if template:
        (path / "prompt.json").write_text(load_template(template).model_dump_json())
    return path


def test_a_start_brings_its_wording_or_is_given_one(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    policy(tmp_path / "policies" / "known")
    bare = policy(tmp_path / "bare", None)
    assert find_start("known", None, registry).template.id == "guide-compact@1"
    assert find_start(str(bare), "guide-standard@1", registry).template.id == "guide-standard@1"
    assert find_start("some/hub-model", "guide-standard@1", registry).source == "some/hub-model"
    for name, template, says in (
        ("unknown", None, "neither a directory nor a version"),
        (str(bare), None, "name a prompt_template"),
        (str(bare), "answer-compact@1", "for the role 'answer'"),
        (str(bare), "nothing@1", "cannot be used"),
    ):
        with pytest.raises(StartPolicyError, match=says):
            find_start(name, template, registry)


def test_a_version_is_added_and_never_changed(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    source = policy(tmp_path / "source")
    path = registry.publish_policy("new-1", source)
    assert registry.policies() == ["new-1"]
    assert json.loads((path / "prompt.json").read_text())["role"] == "guide"
    assert registry.active.policy() is None
    with pytest.raises(FileExistsError):
        registry.publish_policy("new-1", source)
    with pytest.raises(RegistryError):
        registry.publish_policy("../new", source)
