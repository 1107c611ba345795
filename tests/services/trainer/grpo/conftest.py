"""A tiny random policy, questions with pictures, and runs that take seconds against a scripted downstream service."""

from __future__ import annotations

import contextlib
import csv
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from services.trainer.grpo.config.training_config import TrainingConfig
from services.trainer.grpo.connection import Connection
from services.trainer.grpo.journal import SilentObserver
from services.trainer.grpo.spec import prepare
from services.trainer.run_files.json_lines import read_lines
from tests.support.models import overconfident, share
from tests.support.openai_app import Reply, ScriptedServer
from tests.support.servers import running
from trustvqa.cli.main import app

_PRELOADED = ["services.trainer.grpo.run", "services.trainer.grpo.learning.trl_trainer"]
STEPS, BATCH, GENERATIONS, VALIDATION = 6, 8, 4, 6
Configure = Callable[..., dict[str, Any]]
Training = Callable[..., TrainingConfig]
Begin = Callable[..., Path]


def write_questions(folder: Path, first: int, count: int) -> Path:
    """Write questions "Number i?" with two options, A being right, each with a picture of its own."""
    (folder / "images").mkdir(parents=True)
    with (folder / "questions.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        header = ["Figure_path", "Question", "Answer", "Choice A", "Choice B", "Answer_label", "modality", "family"]
        table.writerow(header)
        for i in range(first, first + count):
            Image.new("L", (8, 8), i).save(folder / "images" / f"{i}.png")
            table.writerow([f"{i}.png", f"Number {i}?", "x", "x", "y", "A", "CT", ("side", "level")[i % 2]])
    return folder


@pytest.fixture(scope="session")
def fork_server() -> forkserver.ForkServer:
    """A process that has imported all that runs need, once; pictures' workers come from another, which has not."""
    server = forkserver.ForkServer()
    server.set_forkserver_preload(_PRELOADED)
    return server


@pytest.fixture
def processes(fork_server: forkserver.ForkServer, monkeypatch: pytest.MonkeyPatch) -> ForkServerContext:
    """Processes of runs, which begin at once."""
    monkeypatch.setattr(forkserver, "connect_to_new_process", fork_server.connect_to_new_process)
    return multiprocessing.get_context("forkserver")


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("questions")
    write_questions(folder / "train", 0, 10)
    write_questions(folder / "validation", 100, VALIDATION)
    return folder


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose only version is a tiny random policy."""
    from tests.services.policy.conftest import make_policy

    folder = tmp_path_factory.mktemp("registry")
    make_policy(folder / "policies" / "policy-tiny", seed=1)
    return folder


@pytest.fixture(scope="session")
def configure(questions: Path) -> Configure:
    """Make the section `training` of a tiny run."""

    def make(**changes: Any) -> dict[str, Any]:
        section: dict[str, Any] = {
            "policy": "policy-tiny",
            "version": "policy-tiny-grpo",
            "device": "cpu",
            "seed": 3,
            "train": {"kind": "file", "path": str(questions / "train")},
            "validation": {"kind": "file", "path": str(questions / "validation")},
            "answer": {"max_tokens": 32, "deadline_s": 20, "attempts": 1, "lost_window": 80, "max_lost_share": 0.5},
            "rollout": {"num_generations": GENERATIONS, "max_completion_length": 6},
            "update": {"max_steps": STEPS, "learning_rate": 1e-2, "per_device_train_batch_size": BATCH},
            "checkpoints": {"save_steps": 2},
            "selection": {"must_improve": False, "resamples": 20},
        }
        for name, value in changes.items():
            section[name] = {**section.get(name, {}), **value} if isinstance(value, dict) else value
        return section

    return make


@pytest.fixture(scope="session")
def training(configure: Configure) -> Training:
    """Make a tiny run's configuration."""
    return lambda **changes: TrainingConfig.model_validate(configure(**changes))


def write_config(path: Path, section: dict[str, Any], url: str, registry: Path) -> Path:
    """Write a configuration file with the sections that `trustvqa train` reads."""
    trainer = {"downstream_url": f"{url}/v1", "downstream_model": "scripted", "registry": str(registry)}
    path.write_text(yaml.safe_dump({"trainer": trainer, "training": section}))
    return path


def flaky(prompt: str) -> Reply:
    """An overconfident model behind a network that loses one request in eight, always the same ones."""
    # A validation question that is lost would be lost for good; those are numbered from 100.
    lost = share(prompt + "!") < 0.125 and "Number 10" not in prompt
    return 503 if lost else overconfident(prompt)


@dataclass
class Trained:
    """A finished run."""

    folder: Path
    registry: Path
    server: ScriptedServer
    out: str


@pytest.fixture(scope="session")
def trained(registry: Path, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    work = tmp_path_factory.mktemp("trained")
    server = ScriptedServer(flaky)
    with running(server.app) as url, contextlib.chdir(work):
        config = write_config(work / "tiny.yaml", configure(), url, registry)
        result = CliRunner().invoke(app, ["train", "--config", str(config), "--out", "run"], env={"NO_COLOR": "1"})
    assert result.exit_code == 0, (result.stderr, result.exception)
    return Trained(work / "run", registry, server, result.stdout + result.stderr)


def metrics(folder: Path) -> list[dict[str, Any]]:
    return list(read_lines(folder / "metrics.jsonl"))


class Told(SilentObserver):
    """Keeps what it is told, and asks for a stop after a step."""

    def __init__(self, stop_after: int = 0) -> None:
        self.notes: list[str] = []
        self.stop = threading.Event()
        self._stop_after = stop_after

    def step(self, record: Mapping[str, Any], steps: int) -> None:
        if record["step"] == self._stop_after:
            self.stop.set()

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def begin(registry: Path, training: Training, tmp_path: Path) -> Iterator[Begin]:
    """Prepare a run against a server."""
    with contextlib.ExitStack() as stack:

        def prepared(server: ScriptedServer, *, root: Path = registry, **changes: Any) -> Path:
            url = stack.enter_context(running(server.app))
            connection = Connection(
                url=f"{url}/v1",
                model="scripted",
                template="answer-compact@1",
                registry=root,
                data=tmp_path / "data",
            )
            prepare(tmp_path / "run", training(version=tmp_path.name, **changes), connection)
            return tmp_path / "run"

        yield prepared
