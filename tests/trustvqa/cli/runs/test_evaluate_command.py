"""`trustvqa evaluate` and `trustvqa calibrate` against a real server, failures and kill -9 included."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.datasets import Dataset
from prompt4trust.evaluation import RunManifest, read_predictions
from prompt4trust.models import Sampling
from prompt4trust.prompts import load_template
from services.common.registry.directory import Registry
from tests.support.calibration_keys import decoding_of, whole_key
from tests.support.models import overconfident
from tests.support.openai_app import ScriptedServer
from tests.support.servers import free_port, running
from tests.support.waiting import wait_until
from tests.trustvqa.cli.commands import run_command
from trustvqa.cli.errors import CommandError
from trustvqa.cli.runs.evaluate import choose_calibrators, without_calibrators

Argument = str | Path
Environment = Mapping[str, str]
NONE: Environment = {}

N = 60
COMMAND = [sys.executable, "-c", "from trustvqa.cli.main import app; app()"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "images").mkdir()
    with (folder / "questions.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        header = ["Figure_path", "Question", "Answer", "Choice A", "Choice B", "Answer_label", "modality", "family"]
        table.writerow(header)
        for i in range(N):
            Image.new("L", (8, 8), i).save(folder / "images" / f"{i}.png")
            table.writerow([f"{i}.png", f"Number {i}?", "x", "x", "y", "A", "CT", ("side", "level")[i % 2]])
    return folder


@contextlib.contextmanager
def serving(server: ScriptedServer) -> Iterator[list[str]]:
    """Serve, and give the options that lead a command there."""
    with running(server.app) as url:
        yield ["--downstream-url", f"{url}/v1", "--policy-url", url, "--model", "scripted"]


def start(folder: Path, *arguments: Argument) -> subprocess.Popen[str]:
    """Start a command as a process of its own, which can be killed."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4]), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def trustvqa(folder: Path, *arguments: Argument, status: int = 0, environment: Environment = NONE) -> tuple[str, str]:
    return run_command(folder, *arguments, "--resamples", "50", status=status, environment=environment)


def test_calibrate_asks_some_questions_without_their_right_option(data: Path, tmp_path: Path) -> None:
    server = ScriptedServer()
    with serving(server) as models:
        command: list[Argument] = ["calibrate", "--data", data, "--methods", "verbalized", "--family", "platt", *models]
        out, _ = trustvqa(tmp_path, *command, "--registry", "reg", "--probe-rows", "0.25")
        assert f"fitted on {N + N // 3} valid answers" in out
        removed = [prompt for prompt in server.prompts if "None of the above" in prompt]
        assert (len(server.prompts), len(removed), len(set(removed))) == (N + N // 3, N // 3, N // 3)
        assert all("A. None of the above" in prompt and "B. y" in prompt for prompt in removed)
        # The same command asks nothing anew, but for the recheck of either run.
        trustvqa(tmp_path, *command, "--registry", "reg", "--probe-rows", "0.25")
        assert len(server.prompts) == N + N // 3 + 2


def test_calibrate_then_evaluate(data: Path, tmp_path: Path) -> None:
    server = ScriptedServer()
    with serving(server) as models:
        registry: list[Argument] = ["--registry", tmp_path / "registry"]
        out, _ = trustvqa(tmp_path, "calibrate", "--data", data, "--family", "platt", *models, *registry)
        assert "5-fold cross-fitted" in out
        assert "fitted on 60 valid answers" in out
        names = sorted(path.name for path in (tmp_path / "registry" / "calibrators").iterdir())
        assert [name[: -len("-01234567.json")] for name in names] == [
            "platt-cgp-logprob-scripted-policy-1-answer-compact-1",
            "platt-cgp-scripted-policy-1-answer-compact-1",
            "platt-verbalized-scripted-answer-compact-1",
        ]
        artifact = CalibratorArtifact.load(tmp_path / "registry" / "calibrators" / names[1])
        assert artifact.key == whole_key(
            downstream="scripted", policy="policy-1", estimator="cgp", answer_template="answer-compact@1"
        )
        assert (artifact.n, artifact.folds) == (N, 5)

        # The same questions: evaluate takes up the run that calibrate made, and asks only to recheck the models.
        asked = len(server.prompts)
        out, err = trustvqa(tmp_path, "evaluate", "--data", data / "questions.csv", *models, *registry)
        assert (asked, len(server.prompts)) == (3 * N, 3 * N + 3)
        assert f"{3 * N} of them from before" in err

    assert Counter("Guidance" in prompt for prompt in server.prompts) == {True: 2 * N + 2, False: N + 1}
    assert all(body["messages"][-1]["content"][0]["type"] == "image_url" for body in server.bodies)
    assert server.most_in_flight > 1
    for row in ("accuracy", "ECE", "ACE", "smooth ECE", "Brier", "NLL", "AUROC", "AURC", "valid rate", "errors stated"):
        # A table holds as many methods as its lines have room for. Smooth ECE has no interval, and where all answers
        # are right or all wrong there is no AUROC.
        lines = [line for line in out.splitlines() if line.startswith(row + " ")]
        intervals = sum(line.count("[") for line in lines)
        assert lines
        assert intervals == (intervals if row == "AUROC" else 0 if row == "smooth ECE" else 6)
    head = next(line for line in out.splitlines() if "cgp + platt" in line)
    assert head.split("  ")[0] == ""
    assert all(len(line) <= 120 for line in out.splitlines() if "/" not in line)
    assert "family (n): accuracy, ECE" in out
    assert "side (30)" in out
    assert "these very answers" in out
    [folder] = (tmp_path / "var" / "runs").iterdir()
    report = json.loads((folder / "report.json").read_text())
    rows = read_predictions(folder)
    right = sum(row.correct for row in rows if row.estimator == "cgp")
    assert [method["name"] for method in report["methods"]] == [
        "cgp",
        "cgp + platt",
        "cgp+logprob",
        "cgp+logprob + platt",
        "verbalized",
        "verbalized + platt",
    ]
    assert report["methods"][0]["figures"]["all"]["accuracy"]["value"] == right / N


def test_transport_failures_are_counted_kept_out_and_asked_again(data: Path, tmp_path: Path) -> None:
    def broken(prompt: str) -> str | int | None:
        if "Number 1?" in prompt:
            return 500
        if "Number 2?" in prompt:
            return None
        return "I would rather not say." if "Number 3?" in prompt else overconfident(prompt)

    server = ScriptedServer(broken)
    arguments: list[Argument] = [
        "evaluate",
        "--data",
        data,
        "--methods",
        "verbalized",
        "--calibrator",
        "none",
        "--out",
        "run",
    ]
    with serving(server) as models:
        out, _ = trustvqa(tmp_path, *arguments, *models, "--deadline", "3", "--concurrency", "8", status=4)
        assert "2 question(s) without a prediction" in out
        assert "1 × downstream: " in out
        assert "1 x no_answer" in out
        failures = {
            row.failure.timed_out: row.failure.status for row in read_predictions(tmp_path / "run") if row.failure
        }
        assert failures == {False: 500, True: None}
        assert sum("Number 1?" in prompt for prompt in server.prompts) > 1
        first = json.loads((tmp_path / "run" / "report.json").read_text())["methods"][0]
        assert (first["figures"]["n"], first["failed"]) == (N - 2, 2)

        server.script = overconfident
        server.prompts.clear()
        trustvqa(tmp_path, *arguments, *models, "--no-recheck")
        assert len(server.prompts) == 2
        # A reply without a verdict is the model's own outcome, which stays.
        assert json.loads((tmp_path / "run" / "report.json").read_text())["methods"][0]["invalid"] == {"no_answer": 1}


def test_kill_9_in_the_middle_loses_nothing_that_was_finished(data: Path, tmp_path: Path) -> None:
    server = ScriptedServer(delay_s=0.05)
    table = tmp_path / "run" / "predictions.jsonl"
    arguments: list[Argument] = [
        "evaluate",
        "--data",
        data,
        "--methods",
        "verbalized,cgp",
        "--out",
        "run",
        "--concurrency",
        "4",
        "--calibrator",
        "none",
    ]
    with serving(server) as models:
        process = start(tmp_path, *arguments, *models)
        wait_until(lambda: table.exists() and table.read_bytes().count(b"\n") >= 30)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
        finished = {row.key for row in read_predictions(table)}
        assert 30 <= len(finished) < 2 * N
        with table.open("ab") as stream:
            stream.write(b'{"id": "half')

        wait_until(lambda: server.in_flight == 0)
        server.prompts.clear()
        trustvqa(tmp_path, *arguments, *models, "--no-recheck")
    rows = read_predictions(table)
    assert len(rows) == len({row.key for row in rows}) == 2 * N
    assert len(server.prompts) == 2 * N - len(finished)
    assert table.read_bytes().count(b"\n") == 2 * N


def test_ctrl_c_stops_cleanly(data: Path, tmp_path: Path) -> None:
    server = ScriptedServer(delay_s=0.5)  # far from done when the signal comes
    table = tmp_path / "run" / "predictions.jsonl"
    with serving(server) as models:
        process = start(tmp_path, "evaluate", "--data", data, "--out", "run", "--concurrency", "4", *models)
        wait_until(lambda: table.exists() and table.read_bytes().count(b"\n") >= 4)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    assert table.read_bytes().endswith(b"\n")


def test_what_the_gateway_offers_is_the_default_and_named(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "no-policy.yaml"
    config.write_text("gateway:\n  methods: [verbalized]\n  max_risk: 0.2\ntrainer: {}\n")
    nowhere: list[Argument] = ["--policy-url", f"http://127.0.0.1:{free_port()}"]
    command: list[Argument] = ["calibrate", "--data", data, "--family", "platt", "--registry", "reg"]
    offered = f"methods: verbalized: those that the gateway offers by {config}; --methods names others"
    with serving(ScriptedServer()) as models:
        _, err = trustvqa(tmp_path, *command, *models, *nowhere, environment={"TRUSTVQA_CONFIG": str(config)})
        assert offered in err
        assert [each.key.estimator for each in Registry(tmp_path / "reg").calibrators.load_all()] == ["verbalized"]
        # The environment goes before the file, as it does at the gateway.
        given = {"TRUSTVQA_CONFIG": str(config), "TRUSTVQA_GATEWAY_METHODS": '["verbalized", "cgp"]'}
        _, err = trustvqa(tmp_path, "evaluate", "--data", data, *models, environment=given)
        assert "methods: verbalized, cgp: those that the gateway offers" in err
    given["TRUSTVQA_GATEWAY_METHODS"] = '["verbalised"]'
    _, err = trustvqa(tmp_path, "evaluate", "--data", data, status=1, environment=given)
    assert "TRUSTVQA_GATEWAY_METHODS: no method 'verbalised'" in err


def test_another_configuration_in_the_same_folder_is_refused(data: Path, tmp_path: Path) -> None:
    arguments: list[Argument] = ["evaluate", "--data", data, "--methods", "verbalized", "--out", "run"]
    with serving(ScriptedServer()) as models:
        trustvqa(tmp_path, *arguments, *models)
        _, err = trustvqa(tmp_path, *arguments, *models, "--temperature", "0.7", status=1)
    assert "another configuration" in err
    assert "'temperature': 0.7" in err


def test_an_earlier_run_is_reported_and_calibrated_on_without_a_server(data: Path, tmp_path: Path) -> None:
    with serving(ScriptedServer()) as models:
        trustvqa(tmp_path, "evaluate", "--data", data, "--out", "run", *models)
    nowhere = ["--downstream-url", f"http://127.0.0.1:{free_port()}/v1"]
    platt: list[Argument] = ["--family", "platt", "--registry", "registry"]
    trustvqa(tmp_path, "calibrate", "--data", data, "--run", "run", *platt, *nowhere)
    calibrators = tmp_path / "registry" / "calibrators"
    out, _ = trustvqa(tmp_path, "evaluate", "--data", data, "--run", "run", "--calibrator", calibrators, *nowhere)
    assert "cgp + platt" in out
    out, _ = trustvqa(tmp_path, "evaluate", "--data", data, "--run", "run", "--registry", "empty", *nowhere)
    assert "no calibrator in the registry" in out
    (other,) = calibrators.glob("platt-cgp-scripted-policy-1-answer-compact-1-*.json")
    changed = json.loads(other.read_text().replace('"scripted"', '"another"'))
    del changed["checksum"]
    other.write_text(json.dumps(changed))
    command: list[Argument] = ["evaluate", "--data", data, "--run", "run", "--calibrator", other, *nowhere]
    _, err = trustvqa(tmp_path, *command, status=1)
    assert "none belongs to this run's models and methods" in err
    _, err = trustvqa(tmp_path, "evaluate", "--data", data, "--limit", "5", "--run", "run", *nowhere, status=1)
    assert "predictions for other questions" in err


def test_what_is_missing_for_a_calibrator_to_fit_is_told(tmp_path: Path) -> None:
    named = {"downstream": "scripted", "policy": "p", "estimator": "cgp", "answer_template": "answer-compact@1"}
    held = CalibratorArtifact(
        name="platt-1", family="platt", parameters={"slope": 1.0, "intercept": 0.0}, n=20, dataset="d",
        key=whole_key(**named), data_hash="sha256:" + "0" * 64, created=datetime(2026, 1, 1, tzinfo=UTC), seed=0,
        metrics_before={}, metrics_after={},
    )  # fmt: skip
    warm = Sampling(temperature=1.5)
    manifest = RunManifest.describe(
        Dataset("d", ()), ["cgp"], downstream="scripted", policy="p", template=load_template("answer-compact@1"),
        sampling=warm, created=datetime(2026, 1, 1, tzinfo=UTC), decoding={"cgp": decoding_of("cgp", warm)},
    )  # fmt: skip
    registry = Registry(tmp_path)
    nothing = "no calibrator in the registry belongs to these models; `trustvqa calibrate` fits one"
    assert without_calibrators(registry, manifest) == [nothing]
    path = registry.calibrators.publish(held)
    told = "was made from answers that came about otherwise (temperature 0 there, 1.5 here)"
    assert without_calibrators(registry, manifest) == [
        f"cgp: no calibrator fits: platt-1 {told}; `trustvqa calibrate` fits one"
    ]
    with pytest.raises(CommandError, match=re.escape(f"platt-1: it {told}")):
        choose_calibrators(str(path), registry, manifest)
    cold = manifest.model_copy(update={"decoding": {"cgp": decoding_of("cgp")}})
    assert without_calibrators(registry, cold) == []
    assert choose_calibrators("auto", registry, cold) == [held]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--methods", "oracle"], "no method 'oracle'; there are"),
        (["--methods", ","], "no method given"),
        (["--downstream-url", "http://127.0.0.1:9/v1"], "cannot be reached (ConnectError): is it running? `make up`"),
        (["--template", "nonsense@1"], "no shipped prompt template 'nonsense@1'"),
        (["--template", "guide-compact@1"], "one of role 'answer' is needed"),
    ],
)
def test_wrong_usage_is_explained(data: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    with serving(ScriptedServer()) as models:
        _, err = trustvqa(tmp_path, "evaluate", "--data", data, *models, *arguments, status=1)
    assert said in err
    assert "Traceback" not in err


def test_a_missing_file_and_a_policy_that_is_away_are_explained(data: Path, tmp_path: Path) -> None:
    with serving(ScriptedServer()) as models:
        _, err = trustvqa(tmp_path, "evaluate", "--data", "gone.csv", *models, status=1)
        assert "gone.csv: no such file" in err
        away = ["--policy-url", f"http://127.0.0.1:{free_port()}"]
        _, err = trustvqa(tmp_path, "evaluate", "--data", data, *models, *away, status=1)
        assert "gives no guidance" in err
        trustvqa(tmp_path, "evaluate", "--data", data, *models, *away, "--methods", "verbalized")


def test_settings_come_from_the_trainers_section(data: Path, tmp_path: Path) -> None:
    server = ScriptedServer()
    with running(server.app) as url:
        config = tmp_path / "mine.yaml"
        config.write_text(
            f"trainer:\n  policy_url: {url}\n  downstream_url: {url}/v1\n  downstream_model: from-the-file\n"
            "  poll_s: 2\n"  # of the service, and none of this command's
        )
        environment = {"TRUSTVQA_CONFIG": str(config), "TRUSTVQA_TRAINER_MAX_TOKENS": "77"}
        trustvqa(
            tmp_path, "evaluate", "--data", data, "--limit", "3", "--methods", "verbalized", environment=environment
        )
    assert {(body["model"], body["max_tokens"]) for body in server.bodies} == {("from-the-file", 77)}
    assert len(server.bodies) == 3


def test_a_misspelt_setting_of_the_trainers_section_is_refused(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("trainer:\n  downstream_modle: from-the-file\n")
    environment = {"TRUSTVQA_CONFIG": str(config)}
    _, err = trustvqa(tmp_path, "evaluate", "--data", data, status=1, environment=environment)
    assert "trainer.downstream_modle" in err
    assert "is downstream_model meant?" in err
