"""`trustvqa reference`: from the questions of a calibration split to published reference inputs."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from prompt4trust.calibration import hash_rows
from prompt4trust.datasets import load_dataset
from prompt4trust.evaluation import Prediction, PredictionLog, RunManifest
from prompt4trust.shift import ReferenceArtifact
from services.common.registry.directory import Registry
from tests.prompt4trust.shift.questions import ASKED, OPTIONS, picture
from tests.trustvqa.cli.commands import run_command

ROWS = 450


def make_questions(folder: Path, *, n: int = ROWS, seed: int = 0, kind: str = "disc", pictures: int = 0) -> Path:
    """Questions in PMC-VQA's format, each about a picture of its own, or about one of `pictures`."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    pictures = pictures or n
    for index in range(pictures):
        picture(rng, kind).save(folder / "images" / f"{index}.png")
    with (folder / "questions.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(
            ["Figure_path", "Question", "Answer", "Choice A", "Choice B", "Choice C", "Answer_label", "family"]
        )
        for index in range(n):
            family = str(rng.choice(list(ASKED)))
            options = rng.permutation(OPTIONS[family]).tolist()
            table.writerow(
                [f"{index % pictures}.png", str(rng.choice(ASKED[family])), options[0], *options, "A", family]
            )
    return folder


def make_run(folder: Path, data: Path) -> list[str]:
    """A run of two methods on all questions; the hashes of their answers."""
    dataset = load_dataset(data)
    manifest = RunManifest(
        dataset=dataset.name,
        data_hash=dataset.fingerprint,
        questions=len(dataset.questions),
        estimators=("cgp", "verbalized"),
        template="answer-compact@1 (0123)",
        sampling={},
        software="trustvqa",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        downstream="scripted",
        policy="policy-1",
    )
    folder.mkdir()
    (folder / "run.json").write_text(manifest.model_dump_json())
    hashes = []
    with PredictionLog(folder) as log:
        for method, stated in (("cgp", 0.7), ("verbalized", 0.9)):
            ids = [question.id for question in dataset.questions]
            for each in ids:
                log.append(Prediction(id=each, estimator=method, truth="A", answer="A", confidence=stated))
            hashes.append(hash_rows([stated] * len(ids), [True] * len(ids), ids))
    return hashes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_questions(tmp_path_factory.mktemp("data") / "held.out")


def reference(folder: Path, *arguments: str | Path, status: int = 0) -> tuple[str, str]:
    return run_command(folder, "reference", *arguments, "--registry", "registry", status=status, columns=200)


def test_a_reference_is_published_with_what_it_was_made_from(data: Path, tmp_path: Path) -> None:
    hashes = make_run(tmp_path / "run", data)
    out, _ = reference(tmp_path, "--data", data, "--run", tmp_path / "run")
    [found] = Registry(tmp_path / "registry").references.load_all()
    dataset = load_dataset(data)
    assert found.name == f"held-out-{dataset.fingerprint[:8]}"
    assert (found.dataset, found.questions) == ("held.out", f"sha256:{dataset.fingerprint}")
    assert (found.n, found.n_near, found.n_held, found.seed) == (ROWS, 150, 300, 42)
    assert found.answers == sorted(hashes)
    assert "distances to 150 questions of held.out, compared with 300 others" in out
    [usual] = re.findall(r"at or beyond 0.99, each half judged by the other: ([\d.]+) % of 300", out)
    assert float(usual) < 3
    assert Path(out.splitlines()[-1]).name == f"{found.name}.json"
    again, _ = reference(tmp_path, "--data", data)
    assert len(Registry(tmp_path / "registry").references.load_all()) == 1  # the same questions, the same name
    assert "distances to 150" in again


def test_what_is_unlike_is_shown_to_be_and_nothing_need_be_published(data: Path, tmp_path: Path) -> None:
    other = make_questions(tmp_path / "stripes", n=60, seed=3, kind="stripes")
    out, _ = reference(tmp_path, "--data", data, "--unlike", other, "--no-publish", "--resamples", "20",
                       "--atypicality-limit", "0.9")  # fmt: skip
    lines = {line.split()[0]: line for line in out.splitlines() if re.match(r"(picture|words|both) ", line)}
    assert float(lines["both"].split()[1]) > 0.97
    assert "100 % of 60" in lines["both"]
    assert float(lines["words"].split()[1]) < 0.6
    assert "stripes, 60 questions" in out
    assert not (tmp_path / "registry").exists()


def test_it_stands_for_questions_drawn_in_the_same_way_and_for_no_others(data: Path, tmp_path: Path) -> None:
    guard = make_questions(tmp_path / "guard", n=200, seed=8)
    out, _ = reference(tmp_path, "--data", data, "--also", guard)
    assert re.search(r"^guard: [\d.]+ % of 200", out, re.MULTILINE)
    [found] = Registry(tmp_path / "registry").references.load_all()
    assert found.also == [f"sha256:{load_dataset(guard).fingerprint}"]
    assert found.covers("guard", "sha256:" + "0" * 64, load_dataset(guard).fingerprint) == 2
    stripes = make_questions(tmp_path / "stripes", n=60, seed=3, kind="stripes")
    _, err = reference(tmp_path, "--data", data, "--also", stripes, "--name", "both", status=1)
    assert "--also stripes: drawn otherwise" in err
    assert [each.name for each in Registry(tmp_path / "registry").references.load_all()] == [found.name]


def test_distances_to_other_questions_and_kinds_that_are_shown(data: Path, tmp_path: Path) -> None:
    near = make_questions(tmp_path / "training", n=80, seed=8)
    stripes = make_questions(tmp_path / "stripes", n=60, seed=3, kind="stripes")
    out, _ = reference(tmp_path, "--data", data, "--near", near, "--other-kind", stripes, "--name", "shown",
                       "--atypicality-limit", "0.99")  # fmt: skip
    assert "distances to 80 questions" in out
    assert "half of the held-out questions are too few for 0.99" in out
    [found] = Registry(tmp_path / "registry").references.load_all()
    assert (found.n, found.n_near, found.n_held) == (ROWS, 80, ROWS)
    assert list(found.parts) == ["picture", "words", "picture-kind", "colour"]


def test_a_name_and_fewer_questions_can_be_chosen(data: Path, tmp_path: Path) -> None:
    reference(tmp_path, "--data", data, "--name", "mine", "--limit", "320", "--seed", "3")
    found = ReferenceArtifact.load(tmp_path / "registry" / "references" / "mine.json")
    assert (found.n, found.seed) == (320, 3)


def test_what_cannot_be_used_is_refused(data: Path, tmp_path: Path) -> None:
    _, err = reference(tmp_path, "--data", data, "--limit", "299", status=1)
    assert "at least 300 questions, not 299" in err
    few = make_questions(tmp_path / "few", pictures=40)
    _, err = reference(tmp_path, "--data", few, status=1)
    assert "different inputs held out for 'picture' and 2 parts" in err
    judged = ("--claims", "family=shape", "--judge", "normalised-1")
    _, err = reference(tmp_path, "--data", data, *judged, status=1)
    assert "--claims learns right options, and --judge takes open questions alone" in err
    _, err = reference(tmp_path, "--data", tmp_path / "gone", status=1)
    assert "gone" in err
    other = make_questions(tmp_path / "other", n=301, seed=5)
    make_run(tmp_path / "run", other)
    _, err = reference(tmp_path, "--data", data, "--run", tmp_path / "run", status=1)
    assert "a run on other questions (other)" in err
    _, err = reference(tmp_path, "--data", data, "--name", "../up", status=1)
    assert "name" in err
    (other / "images" / "7.png").write_bytes(b"no picture")
    _, err = reference(tmp_path, "--data", other, status=1)
    assert "7.png cannot be read" in err
    assert not (tmp_path / "registry").exists()


COLUMNS = "question=Question,options=Choice A+Choice B+Choice C,answer=Answer_label,image=Figure_path,group=family"


def test_what_was_learned_of_right_answers_is_told(data: Path, tmp_path: Path) -> None:
    asked = ("--data", data / "questions.csv", "--images", data / "images", "--columns", COLUMNS, "--name", "claims")
    out, err = reference(tmp_path, *asked, "--claims", "family=shape", "--json")
    learned = json.loads(out)["claims"]
    assert learned["answers"] == ["oval", "round", "spiculated"]
    assert (learned["reaching"] + 1) / (learned["n"] + 1) <= 0.05
    [found] = Registry(tmp_path / "registry").references.load_all()
    assert found.claims is not None
    assert (found.claims.edge, found.claims.n) == (learned["edge"], learned["n"])
    assert f"oval, round, spiculated; a picture speaks against one from {learned['edge']:.3g} on" in err
    _, err = reference(tmp_path, *asked, "--claims", "family=organ", status=1)
    assert "--claims family=organ: nothing was learned: no question that distances are taken to is of that group" in err


def test_a_judge_is_for_the_questions_themselves_and_not_for_those_of_another_kind(data: Path, tmp_path: Path) -> None:
    stripes = make_questions(tmp_path / "stripes", n=30, seed=3, kind="stripes")
    table = tmp_path / "open.csv"
    rows = (f"{ASKED['side'][n % 4]},At the apex,{n}.png" for n in range(300))
    table.write_text("\n".join(["q,t,f", *rows]))
    out, _ = reference(
        tmp_path, "--data", table, "--images", data / "images", "--columns", "question=q,answer=t,image=f",
        "--judge", "normalised-1", "--unlike", stripes, "--other-kind", stripes, "--no-publish",
        "--resamples", "5", "--atypicality-limit", "0.9",
    )  # fmt: skip
    assert "stripes, 30 questions" in out
