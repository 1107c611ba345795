"""`trustvqa report`: pages from the folders of earlier runs, and clear words where a folder is none."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.datasets import load_dataset
from prompt4trust.evaluation import Prediction, PredictionLog, Report, RunManifest
from prompt4trust.evaluation.predictions import GuidanceRecord
from prompt4trust.models import Sampling
from prompt4trust.prompts import load_template
from services.trainer.tuning.config import TuningConfig, TuningSpec
from services.trainer.tuning.journal import TuningJournal
from tests.support.calibration_keys import decodings, whole_key
from tests.support.html import Node, check_self_contained, parse
from tests.support.openai_app import ScriptedServer
from tests.support.servers import running
from tests.trustvqa.cli.commands import run_command
from trustvqa.cli.main import app

N = 120


def write_questions(folder: Path, word: str = "Number") -> Path:
    (folder / "images").mkdir(parents=True)
    with (folder / "questions.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["Figure_path", "Question", "Choice A", "Choice B", "Answer_label", "family"])
        for index in range(N):
            Image.new("L", (8, 8), index).save(folder / "images" / f"{index}.png")
            table.writerow([f"{index}.png", f"{word} {index}?", "x", "y", "A", ("side", "size")[index % 2]])
    return folder


def write_run(folder: Path, data: Path, *, policy: str = "p1", skill: float = 0.6, source: bool = True) -> Path:
    """Predictions of two methods: verbalized is the same in every run, cgp is as right as it is made to be."""
    dataset = load_dataset(data)
    manifest = RunManifest.describe(
        dataset, ["verbalized", "cgp"], downstream="scripted", policy=policy,
        template=load_template("answer-compact@1"), sampling=Sampling(), created=datetime(2026, 1, 1, tzinfo=UTC),
        decoding=decodings("verbalized", "cgp"),
    )  # fmt: skip
    folder.mkdir(parents=True)
    stored = manifest if source else manifest.model_copy(update={"source": None})
    (folder / "run.json").write_text(stored.model_dump_json())
    chance = np.random.default_rng(1).random(N)
    with PredictionLog(folder) as log:
        for question, drawn in zip(dataset.questions, chance, strict=True):
            for name, share in (("verbalized", 0.5), ("cgp", skill)):
                row = Prediction(
                    id=question.id, estimator=name, truth=question.answer, groups=dict(question.groups),
                    answer="A" if drawn < share else "B", confidence=0.95 if drawn < 0.8 else 0.7, text="<b>reply</b>",
                    guidance=GuidanceRecord(text="<i>hint</i>", version=policy) if name == "cgp" else None,
                )  # fmt: skip
                log.append(row)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_questions(tmp_path_factory.mktemp("questions") / "numbers")


def trustvqa(folder: Path, *arguments: str | Path, status: int = 0) -> tuple[str, str]:
    command = ["report", *arguments, "--resamples", "20", "--registry", folder / "registry"]
    out, err = run_command(folder, *command, status=status)
    assert "Traceback" not in err
    return out, " ".join(err.split())


def read(path: Path) -> Node:
    page = path.read_text()
    tree = parse(page)
    check_self_contained(page, tree)
    assert len(page) < 3_000_000
    return tree


def test_a_run_s_folder_alone_is_enough(tmp_path: Path, data: Path) -> None:
    run = write_run(tmp_path / "run", data)
    out, err = trustvqa(tmp_path, run, "--title", "For <Monday>")
    assert err == ""
    assert "Not calibrated: verbalized" in out
    assert [line for line in out.splitlines() if line.startswith("/")] == [
        str(run / f"report.{kind}") for kind in ("json", "csv", "html")
    ]
    tree = read(run / "report.html")
    assert tree.all("h1")[0].text == "For <Monday>"
    assert len(tree.all("img")) == 12
    assert tree.all("blockquote")[0].text in {"<b>reply</b>", "<i>hint</i>"}
    assert str(tmp_path) not in (run / "report.html").read_text()
    stored = Report.model_validate_json((run / "report.json").read_bytes())
    accuracy = stored.methods[0].figures.all["accuracy"]
    assert f"{accuracy.value:.3f} {accuracy.low:.3f} to {accuracy.high:.3f}" in tree.all("table")[0].text


def test_only_the_page_is_written_where_one_is_named(tmp_path: Path, data: Path) -> None:
    run = write_run(tmp_path / "run", data)
    trustvqa(tmp_path, run, "--out", "pages/mine.html", "--no-pictures")
    tree = read(tmp_path / "pages" / "mine.html")
    assert tree.all("img") == []
    assert "the picture is left out" in tree.all("article")[0].text
    assert not (run / "report.json").exists()


def test_runs_of_the_same_questions_stand_side_by_side(tmp_path: Path, data: Path) -> None:
    before = write_run(tmp_path / "before", data, policy="p1", skill=0.5)
    after = write_run(tmp_path / "after", data, policy="p2", skill=0.9)
    out, _ = trustvqa(tmp_path, after, "--baseline", before)
    assert "cgp (p2) beside cgp (p1): accuracy up by 4" in out
    tree = read(after / "comparison.html")
    assert [row.all("th")[0].text for row in tree.all("table")[0].all("tbody")[0].all("tr")] == [
        "cgp (p2)",  # the page of advice, the best first
        "cgp (p1)",
        "verbalized",
    ]
    stored = Report.model_validate_json((after / "comparison.json").read_bytes())
    assert [run.policy for run in (stored.run, *stored.others) if isinstance(run, RunManifest)] == ["p1", "p2"]
    # The other way round, and told apart by their folders where nothing else differs.
    shutil.copytree(before, tmp_path / "again")
    (tmp_path / "again" / "predictions.jsonl").write_bytes((after / "predictions.jsonl").read_bytes())
    out, _ = trustvqa(tmp_path, before, tmp_path / "again", "--out", "x.html")
    assert "cgp (again) beside cgp (before): accuracy up by" in out
    _, err = trustvqa(tmp_path, before, before, status=1)
    assert "named twice" in err


def test_runs_of_other_questions_are_not_compared(tmp_path: Path, data: Path) -> None:
    other = write_questions(tmp_path / "others", "Count")
    runs = write_run(tmp_path / "one", data), write_run(tmp_path / "two", other)
    _, err = trustvqa(tmp_path, *runs, status=1)
    assert "are of different questions (others, 120; numbers, 120)" in err


def test_questions_that_are_not_at_hand_are_noted_and_wrong_ones_refused(tmp_path: Path, data: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(data, moved)
    run = write_run(tmp_path / "run", moved)
    moved.rename(tmp_path / "here")
    _, err = trustvqa(tmp_path, run)
    assert "were not found" in err
    assert "Name another with --data." in err
    tree = read(run / "report.html")
    assert tree.all("img") == []
    assert "questions and pictures are not shown" in tree.all("header")[0].text
    trustvqa(tmp_path, run, "--data", tmp_path / "here")
    assert len(read(run / "report.html").all("img")) == 12
    _, err = trustvqa(tmp_path, run, "--data", write_questions(tmp_path / "others", "Count"), status=1)
    assert "is not what this run was asked from: 120 of the 120 questions" in err
    _, err = trustvqa(tmp_path, run, "--data", "gone.csv", status=1)
    assert "gone.csv: no such file" in err
    silent = write_run(tmp_path / "silent", data, source=False)
    assert "does not say where its questions lie" in trustvqa(tmp_path, silent)[1]


def test_calibrators(tmp_path: Path, data: Path) -> None:
    run = write_run(tmp_path / "run", data)
    pair = whole_key(downstream="scripted", policy="p1", estimator="cgp", answer_template="answer-compact@1")
    artifact = CalibratorArtifact(
        name="half", family="platt", parameters={"slope": 0.0, "intercept": 0.0}, key=pair, n=1, dataset="d",
        data_hash="sha256:" + "0" * 64, created=datetime(2026, 1, 1, tzinfo=UTC), seed=0, metrics_before={},
        metrics_after={},
    )  # fmt: skip
    (tmp_path / "registry" / "calibrators").mkdir(parents=True)
    artifact.save(tmp_path / "registry" / "calibrators" / "half.json")
    trustvqa(tmp_path, run)
    assert "by platt 50" in read(run / "report.html").all("article")[0].text
    trustvqa(tmp_path, run, "--calibrator", "none")
    assert "platt" not in (run / "report.html").read_text()
    trustvqa(tmp_path, run, "--calibrator", tmp_path / "registry" / "calibrators" / "half.json")
    assert "cgp + platt" in (run / "report.html").read_text()
    other = write_run(tmp_path / "other", data, policy="p2", skill=0.9)
    _, err = trustvqa(tmp_path, other, "--calibrator", tmp_path / "registry" / "calibrators", status=1)
    assert "none belongs to this run's models and methods" in err
    trustvqa(tmp_path, run, other, "--calibrator", tmp_path / "registry" / "calibrators")
    assert "cgp + platt (p1)" in (other / "comparison.html").read_text()


def test_a_trainer_s_evaluation_is_found_below_its_folder(tmp_path: Path, data: Path) -> None:
    write_run(tmp_path / "r1" / "evaluation", data)
    (tmp_path / "r1" / "config.json").write_text("{}")
    trustvqa(tmp_path, tmp_path / "r1")
    read(tmp_path / "r1" / "evaluation" / "report.html")


def test_a_training_run_shows_how_it_learned(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "training"
    (run / "validation").mkdir(parents=True)
    config = {"version": "policy-9", "policy": "policy-8", "selection": {"objective": "reward"}, "seed": 0}
    (run / "config.json").write_text(json.dumps({"config": config, "connection": {"url": "http://secret.example"}}))
    _, err = trustvqa(tmp_path, run, status=1)
    assert "holds neither predictions.jsonl nor metrics.jsonl" in err
    (run / "metrics.jsonl").write_text("")
    assert "no finished step yet" in trustvqa(tmp_path, run, status=1)[1]
    steps = [json.dumps({"step": step, "reward": -1.0, "confidence_sd": 0.2}) for step in (1, 2)]
    (run / "metrics.jsonl").write_text("\n".join([*steps, '{"step": 3, "rew']))
    value = {"value": -0.5, "low": -0.6, "high": -0.4}
    with (run / "evaluations.jsonl").open("w") as stream:
        for step in (0, 2):
            stream.write(json.dumps({"step": step, "n": 9, "metrics": {"reward": value, "accuracy": value}}) + "\n")
    said = {"question_id": "q", "question": "?", "guidance": "g", "reply": "r", "truth": "A", "answer": "A",
            "confidence": 0.8, "reward": -0.2}  # fmt: skip
    (run / "validation" / "step-0.jsonl").write_text(json.dumps(said) + "\n")
    trustvqa(tmp_path, run)
    tree = read(run / "report.html")
    assert tree.all("h1")[0].text == "Training of policy-9"
    assert "best, step 2" in tree.text
    assert "secret" not in (run / "report.html").read_text()
    _, err = trustvqa(tmp_path, run, write_run(tmp_path / "run", data), status=1)
    assert "a training run is reported by itself" in err


def test_a_tuning_shows_what_it_came_to(tmp_path: Path) -> None:
    run = tmp_path / "tuning"
    run.mkdir()
    questions = {"kind": "phantoms", "n": 9}
    asked = {"version": "tuned-9", "train": {**questions, "split": "train"}, "epochs": 2}
    config = TuningConfig.model_validate({**asked, "validation": {**questions, "split": "validation"}})
    spec = TuningSpec(config=config, base=tmp_path, registry=tmp_path, data=tmp_path)
    (run / "config.json").write_text(spec.model_dump_json())
    journal = TuningJournal(run, config.epochs)
    journal.go_back_to(0)
    for epoch in (1, 2):
        journal.step(epoch, {"loss": 1.0, "cross_entropy": 0.9, "calibration": 0.1, "separation": 0.2})
    measured = {"n": 9, "metrics": {"ece": {"value": 0.2, "low": 0.1, "high": 0.3}}}
    journal.evaluated(measured, measured)
    trustvqa(tmp_path, run)
    tree = read(run / "report.html")
    assert tree.all("h1")[0].text == "Tuning of tuned-9"
    assert "tuned, epoch 2" in tree.text
    assert "9 validation questions. Ranges" in tree.text


def test_what_is_no_run_is_told_what_a_run_is(tmp_path: Path, data: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "gone: no such folder; a RUN is the folder that" in trustvqa(tmp_path, "gone", status=1)[1]
    assert "holds neither predictions.jsonl nor metrics.jsonl; a RUN is" in trustvqa(tmp_path, "empty", status=1)[1]
    (tmp_path / "empty" / "run.json").write_text("{}")
    assert "the run has not got that far, or has failed" in trustvqa(tmp_path, "empty", status=1)[1]
    run = write_run(tmp_path / "run", data)
    (run / "predictions.jsonl").write_text("{}\n")
    assert "line 1 is not a prediction" in trustvqa(tmp_path, run, status=1)[1]
    (run / "run.json").unlink()
    assert "run.json: No such file" in trustvqa(tmp_path, run, status=1)[1]


def test_what_evaluate_left_is_reported_without_naming_the_data_again(tmp_path: Path, data: Path) -> None:
    with running(ScriptedServer().app) as url, contextlib.chdir(tmp_path):
        command = [
            "evaluate",
            "--data",
            str(data),
            "--limit",
            "20",
            "--methods",
            "verbalized",
            "--out",
            "run",
            "--downstream-url",
            f"{url}/v1",
            "--model",
            "scripted",
            "--calibrator",
            "none",
            "--resamples",
            "5",
        ]
        result = CliRunner().invoke(app, command, env={"NO_COLOR": "1"})  # fmt: skip
    assert result.exit_code == 0, result.stderr
    evaluated = read(tmp_path / "run" / "report.html")
    _, err = trustvqa(tmp_path, "run", "--calibrator", "none")
    assert err == ""
    reported = read(tmp_path / "run" / "report.html")
    assert len(reported.all("img")) == len(evaluated.all("img")) > 0
