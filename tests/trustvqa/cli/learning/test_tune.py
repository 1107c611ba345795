"""`trustvqa tune`: a model is tuned, published and on record; stopped, it goes on; and what it refuses."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from prompt4trust.datasets.phantoms import generate
from services.trainer.run_files.json_lines import read_lines
from services.trainer.run_files.records import RunStore
from tests.services.common.contrastive.tiny import save_clip
from tests.trustvqa.cli.commands import run_command
from trustvqa.cli.learning.display import TrainingProgress

EPOCHS = 4


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shipped model, and two splits of phantoms."""
    made = tmp_path_factory.mktemp("tune")
    save_clip(made / "shipped" / "tiny")
    for split in ("train", "validation"):
        generate(made / split, 20, 1, split)
    return made


@pytest.fixture
def environment(place: Path) -> Mapping[str, str]:
    """Settings of the trainer by environment, as the command reads them."""
    return {"TRUSTVQA_TRAINER_SHIPPED": str(place / "shipped")}


def command(place: Path, *more: str, version: str = "tuned-1") -> list[str]:
    data = ("--train", str(place / "train"), "--validation", str(place / "validation"))
    few = ("--model", "tiny", "--shots", "2", "--batch", "4", "--epochs", str(EPOCHS))
    return ["tune", "--version", version, *data, *few, *more]


def test_a_model_is_tuned_published_and_on_record(place: Path, tmp_path: Path, environment: Mapping[str, str]) -> None:
    out, err = run_command(tmp_path, *command(place, "--json"), environment=environment)
    told = json.loads(out)
    assert (told["stopped"], told["epoch"]) == (False, EPOCHS)
    [folder] = (tmp_path / "var" / "runs").glob("*-tuned-1")
    assert told["run"] == str(folder.relative_to(tmp_path))
    assert f"epoch {EPOCHS}/{EPOCHS}  loss" in err
    assert "published" in err
    model = tmp_path / "var" / "registry" / "contrastive" / "tuned-1"
    assert json.loads((model / "provenance.json").read_text())["config"]["shots"] == 2
    record = RunStore(folder.parent).read(folder.name)
    assert (record.kind, record.status, record.executor) == ("calibprompt", "succeeded", "foreground")
    assert record.request == {"model": "tiny", "version": "tuned-1", "epochs": EPOCHS}
    _, err = run_command(tmp_path, *command(place), status=1, environment=environment)
    assert "the registry has a contrastive model 'tuned-1' already" in err


def test_a_run_that_is_stopped_goes_on(
    place: Path, tmp_path: Path, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = TrainingProgress.step

    def press_ctrl_c(self: TrainingProgress, record: Mapping[str, Any], steps: int) -> None:
        shown(self, record, steps)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingProgress, "step", press_ctrl_c)
        out, _ = run_command(tmp_path, *command(place, "--out", "run"), status=130, environment=environment)
    assert "stopped at epoch 1; `trustvqa tune --resume run` goes on from there" in out
    assert RunStore(tmp_path).read("run").status == "cancelled"
    _, err = run_command(tmp_path, *command(place, "--out", "run", "--seed", "5"), status=1, environment=environment)
    assert "run holds a run of another configuration" in err
    out, err = run_command(tmp_path, "tune", "--resume", "run", environment=environment)
    assert "goes on from epoch 1" in err
    assert "ECE" in out
    assert f"published {tmp_path / 'var' / 'registry' / 'contrastive' / 'tuned-1'}" in out
    assert [line["step"] for line in read_lines(tmp_path / "run" / "metrics.jsonl")] == list(range(1, EPOCHS + 1))
    assert RunStore(tmp_path).read("run").status == "succeeded"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version", "x"], 1, "--train, --validation must be given"),
        (["--version", "x/y", "--train", "a", "--validation", "b"], 1, "--version: String should match pattern"),
        (["--version", "x", "--train", "a", "--validation", "b", "--shots", "0"], 1, "--shots: Input should be gr"),
        (["--version", "x", "--train", "a", "--validation", "b", "--format", "xls"], 1, "--format: Input should be"),
        (["--version", "x", "--train", "a", "--validation", "b", "--columns", "q=1"], 1, "q"),
        (["--version", "x", "--train", "a", "--validation", "b", "--model", "gone"], 1, "no"),
        (["--resume", "run", "--seed", "0"], 2, "no other option goes with --resume"),
        (["--resume", "nothing"], 1, "nothing"),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_plain_words(
    tmp_path: Path, environment: Mapping[str, str], arguments: list[str], status: int, said: str
) -> None:
    _, err = run_command(tmp_path, "tune", *arguments, status=status, environment=environment)
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "var").exists()


def test_a_file_that_is_not_there_ends_the_run_with_its_name(
    place: Path, tmp_path: Path, environment: Mapping[str, str]
) -> None:
    asked = command(place, "--out", "run")
    asked[asked.index("--train") + 1] = "gone.csv"
    _, err = run_command(tmp_path, *asked, status=1, environment=environment)
    assert "gone.csv" in err
    assert RunStore(tmp_path).read("run").status == "failed"
