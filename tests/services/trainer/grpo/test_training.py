"""Whole runs of a tiny policy against a scripted downstream service: learning, recording, publishing."""

from __future__ import annotations

import contextlib
import json
import os
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from services.common.registry.directory import Registry
from services.trainer.errors import RunError
from services.trainer.grpo.connection import Connection
from services.trainer.grpo.run import execute
from services.trainer.grpo.spec import prepare
from services.trainer.run_files.json_lines import read_lines
from tests.services.trainer.grpo.board import scalars
from tests.services.trainer.grpo.conftest import (
    BATCH,
    GENERATIONS,
    STEPS,
    VALIDATION,
    Begin,
    Configure,
    Told,
    Trained,
    Training,
    flaky,
    metrics,
    write_config,
)
from tests.support.openai_app import ScriptedServer
from tests.support.servers import free_port
from trustvqa.cli.main import app

pytestmark = pytest.mark.xdist_group("grpo")  # one finished run serves all of these

PATIENCE_S = 150  # processes that import torch on a machine that others keep busy


def test_weights_change_and_the_files_are_there(trained: Trained) -> None:
    before = load_file(trained.registry / "policies" / "policy-tiny" / "model.safetensors")
    after = load_file(trained.folder / "best" / "model.safetensors")
    assert before.keys() == after.keys()
    assert any(abs(after[name] - before[name]).max() > 1e-4 for name in before)

    rows = metrics(trained.folder)
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert rows[-1]["kl"] > rows[0]["kl"]
    samples = list(read_lines(trained.folder / "samples.jsonl"))
    assert {"guidance", "reply", "truth", "answer", "confidence", "reward"} <= samples[0].keys()


def test_what_a_run_is_watched_by_is_in_the_lines_and_on_tensorboard(trained: Trained) -> None:
    rows, board = metrics(trained.folder), scalars(trained.folder / "tensorboard")
    watched = ["loss", "reward", "kl", "accuracy", "ece", "brier", "valid_rate", "masked", "masked_total"]
    watched += ["confidence_mean", "confidence_sd", "confidence_p10", "confidence_p90"]
    timed = ["latency_p50_s", "latency_p95_s", "tokens_per_s", "downstream_tokens_per_s"]
    timed += ["step_s", "generate_s", "reward_s", "update_s"]
    for name in watched + timed:
        assert all(isinstance(row[name], int | float) for row in rows), name
        assert board[name] == pytest.approx({row["step"]: row[name] for row in rows}, rel=1e-5), name
    for row in rows:
        assert all(row[name] > 0 for name in timed)
        assert row["generate_s"] + row["reward_s"] + row["update_s"] == pytest.approx(row["step_s"])
    evaluations = list(read_lines(trained.folder / "evaluations.jsonl"))
    for name in ("reward", "accuracy", "ece", "brier"):
        values = {record["step"]: record["metrics"][name]["value"] for record in evaluations}
        assert board[f"validation/{name}"] == pytest.approx(values, rel=1e-5)


def test_transport_failures_are_masked_and_counted_not_scored(trained: Trained) -> None:
    rows = metrics(trained.folder)
    refused = sum(flaky(prompt) == 503 for prompt in trained.server.prompts)
    assert rows[-1]["masked_total"] == sum(row["masked"] for row in rows) == refused > 0
    # An invalid reply is worth -27.6; the scripted model's worst valid one, 1 - .95 wrong, -4.
    assert all(row["reward"] > -4.1 for row in rows)
    assert all(row["valid_rate"] == 1 for row in rows)
    provenance = json.loads((trained.registry / "policies" / "policy-tiny-grpo" / "provenance.json").read_text())
    assert provenance["masked_samples"] == refused


def test_every_checkpoint_is_evaluated_and_the_best_one_published(trained: Trained) -> None:
    evaluations = list(read_lines(trained.folder / "evaluations.jsonl"))
    assert [record["step"] for record in evaluations] == [0, 2, 4, 6]
    assert all(record["n"] == VALIDATION for record in evaluations)
    for record in evaluations:
        said = (trained.folder / "validation" / f"step-{record['step']}.jsonl").read_text().splitlines()
        rewards = [json.loads(line)["reward"] for line in said]
        assert record["metrics"]["reward"]["value"] == pytest.approx(sum(rewards) / VALIDATION, abs=1e-5)

    published = Registry(trained.registry).policy_path("policy-tiny-grpo")
    best = max(evaluations[1:], key=lambda record: record["metrics"]["reward"]["value"])
    provenance = json.loads((published / "provenance.json").read_text())
    assert provenance["step"] == best["step"]
    assert provenance["parent"] == "policy-tiny"
    assert provenance["config"]["update"]["max_steps"] == STEPS
    assert len(provenance["data"]["train"]["sha256"]) == 64
    stated = json.loads((published / "metrics.json").read_text())
    assert stated["before"]["metrics"] == evaluations[0]["metrics"]
    assert stated["after"]["metrics"] == best["metrics"]
    parent = trained.registry / "policies" / "policy-tiny"
    assert json.loads((published / "prompt.json").read_text()) == json.loads((parent / "prompt.json").read_text())
    assert "No clinical use" in (published / "card.md").read_text()
    assert not [path for path in published.iterdir() if path.suffix in {".bin", ".pt", ".pth"}]  # nothing pickled
    assert not list(trained.folder.glob(".export-*"))


def test_a_person_is_told(trained: Trained) -> None:
    assert "step 6/6" in trained.out
    assert "validation split, 6 questions" in trained.out
    assert "policies/policy-tiny-grpo" in trained.out
    assert "to make it live: trustvqa policies --activate policy-tiny-grpo" in trained.out


def test_a_finished_run_is_finished(trained: Trained) -> None:
    asked = len(trained.server.prompts)
    result = execute(trained.folder)
    assert (result.stopped, result.step, result.resumed_from) == (False, STEPS, STEPS)
    assert len(trained.server.prompts) == asked


# --- Other ways to train ----------------------------------------------------------------------------------------------

SHORT = {"max_steps": 2, "learning_rate": 1e-2, "per_device_train_batch_size": BATCH}


def test_adapters_are_trained_alone_and_published_merged(registry: Path, begin: Begin) -> None:
    told = Told(stop_after=1)
    folder = begin(ScriptedServer(), update={**SHORT, "max_steps": 4, "lora": {"r": 2, "lora_alpha": 4}})
    assert execute(folder, observer=told, stop=told.stop).step == 2
    checkpoint = load_file(folder / "checkpoints" / "checkpoint-2" / "adapter_model.safetensors")
    assert all("lora_" in name for name in checkpoint)

    result = execute(folder)
    assert (result.resumed_from, result.step) == (2, 4)
    assert result.published is not None
    before = load_file(registry / "policies" / "policy-tiny" / "model.safetensors")
    after = load_file(result.published / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if abs(after[name] - before[name]).max() > 1e-6}
    assert changed
    assert all(name.endswith("_proj.weight") for name in changed)  # neither embeddings nor norms have adapters
    assert not list(result.published.glob("adapter*"))


def one_of_two(rank: int, port: int, folder: Path) -> None:
    """Execute a run as the process of a rank: by what `torchrun` and `accelerate launch` tell the ones they start."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    execute(folder)


@pytest.mark.timeout(2 * PATIENCE_S)
def test_several_processes_share_a_batch(
    registry: Path, begin: Begin, tmp_path: Path, processes: ForkServerContext
) -> None:
    server = ScriptedServer()
    folder = begin(
        server,
        update={**SHORT, "per_device_train_batch_size": BATCH // 2},
        curriculum={"steps": 1},
    )
    port = free_port()
    both = [processes.Process(target=one_of_two, args=(rank, port, folder)) for rank in range(2)]
    try:
        for process in both:
            process.start()
        for process in both:
            process.join(PATIENCE_S)
        assert [process.exitcode for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
    # One of the two evaluates and measures difficulty; each scores its half of every batch.
    assert len(server.prompts) == 2 * BATCH + 2 * VALIDATION + 2 * BATCH // GENERATIONS
    assert all("difficulty" in row for row in metrics(folder))
    assert [row["step"] for row in metrics(folder)] == [1, 2]
    assert json.loads((folder / "progress.json").read_text())["state"] == "succeeded"
    assert "prompt.json" in {path.name for path in Registry(registry).policy_path(tmp_path.name).iterdir()}


# --- What is refused before it begins ---------------------------------------------------------------------------------


def test_mistakes_are_told_before_anything_is_spent(trained: Trained, training: Training, tmp_path: Path) -> None:
    def connection(registry: Path) -> Connection:
        return Connection(
            url="http://127.0.0.1:1/v1", model="m", template="answer-compact@1", registry=registry, data=tmp_path
        )

    with pytest.raises(RunError, match="has a version 'policy-tiny-grpo' already"):
        prepare(tmp_path / "a", training(), connection(trained.registry))
    with pytest.raises(RunError, match="neither a directory nor a version"):
        prepare(tmp_path / "b", training(policy="absent"), connection(trained.registry))
    (tmp_path / "file").write_text("")
    start = str(trained.registry / "policies" / "policy-tiny")
    with pytest.raises(RunError, match="cannot be written"):
        prepare(tmp_path / "c", training(policy=start), connection(tmp_path / "file" / "registry"))
    with pytest.raises(RunError, match="another configuration"):
        prepare(trained.folder, training(seed=9), connection(trained.registry))
    with pytest.raises(RunError, match="holds no run"):
        execute(tmp_path / "d")


def test_the_command_tells_what_is_missing(configure: Configure, registry: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", configure(version="other"), "http://127.0.0.1:9", registry)
    with contextlib.chdir(tmp_path):
        result = CliRunner().invoke(app, ["train", "--config", str(config), "--out", "run"])
        assert result.exit_code == 1
        assert "cannot be reached" in " ".join(result.stderr.split())
        result = CliRunner().invoke(app, ["train", "--resume", "run", "--steps", "3"])
        assert result.exit_code == 2
        result = CliRunner().invoke(app, ["train", "--config", "absent.yaml"])
        assert result.exit_code == 1
        assert "absent.yaml" in result.stderr
