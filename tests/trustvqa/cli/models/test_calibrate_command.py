"""`trustvqa calibrate`: what it chooses, publishes and makes live, what it keeps beside the run, what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
from scipy.special import expit, logit

from prompt4trust.calibration import FAMILIES, CalibratorArtifact
from prompt4trust.datasets import Dataset, load_dataset
from prompt4trust.evaluation import (
    Prediction,
    PredictionLog,
    RunManifest,
    build_report,
    read_manifest,
    read_predictions,
)
from prompt4trust.evaluation.prediction_arrays import fitting_hash
from prompt4trust.evaluation.probes import spoil
from prompt4trust.files import write_atomically
from prompt4trust.models import Sampling
from prompt4trust.prompts import load_template
from services.common.registry.directory import Registry
from tests.support.calibration_keys import decodings
from tests.support.openai_app import ScriptedServer
from tests.trustvqa.cli.runs.test_evaluate_command import Argument, serving, trustvqa

Curve = Callable[[Any], Any]


def questions(folder: Path, name: str, n: int, first: int = 0) -> Path:
    path = folder / f"{name}.jsonl"
    lines = [
        json.dumps(
            {"id": f"q{i}", "question": f"Number {i}?", "opa": "x", "opb": "y", "opc": "z", "opd": "w", "cop": 0}
        )
        for i in range(first, first + n)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def predicted(folder: Path, data: Path, curve: Curve, *, seed: int, model: str = "m", agreement: bool = False) -> Path:
    """A finished run on the questions: stated at 55 to 99, right as often as the curve says."""
    run = folder / f"run-{data.stem}-{model}"
    answered(run, load_dataset(data), curve, seed=seed, model=model, agreement=agreement)
    return run


def answered(
    run: Path, dataset: Dataset, curve: Curve, *, seed: int, model: str = "m", agreement: bool = False
) -> None:
    """A finished run on a data set's questions, as `predicted` makes it."""
    manifest = RunManifest.describe(
        dataset, ["verbalized", "cgp"], downstream=model, policy="policy-1", template=load_template("answer-compact@1"),
        sampling=Sampling(), created=datetime(2026, 1, 2, tzinfo=UTC), decoding=decodings("verbalized", "cgp"),
    )  # fmt: skip
    random = np.random.default_rng(seed)
    with PredictionLog(run) as log:
        for question in dataset.questions:
            for estimator in manifest.estimators:
                stated, agreed = random.integers(55, 100) / 100, random.integers(0, 21) / 20
                right = random.random() < curve(stated) + (agreed - 0.5) * 0.8 * agreement
                log.append(
                    Prediction(
                        id=question.id, estimator=estimator, truth="A", answer="A" if right else "B", confidence=stated,
                        signals={"agreement": agreed} if agreement else {},
                    )
                )  # fmt: skip
    write_atomically(run / "run.json", manifest.model_dump_json())


def never(_: float) -> float:
    return 0.0


def probed(run: Path, data: Path, *, model: str = "m") -> Path:
    """The run's folder of the probe right-option-removed: all answers wrong."""
    folder = run / "probe-right-option-removed"
    answered(folder, spoil(load_dataset(data), "right-option-removed", folder / "pictures"), never, seed=3, model=model)
    return folder


def bent(stated: float) -> float:
    return float(expit(0.5 * logit(stated) - 1))


def stepped(stated: float) -> float:
    return 0.15 if stated < 0.8 else 0.85


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    return questions(tmp_path, "calibration", 300)


def live(folder: Path) -> dict[str, str]:
    return {key.split(" | ")[0]: name for key, name in Registry(folder / "reg").active.calibrators().items()}


def test_chooses_on_the_validation_questions_publishes_and_makes_live(tmp_path: Path, calibration: Path) -> None:
    validation = questions(tmp_path, "validation", 200, first=300)
    command: list[Argument] = [
        *("calibrate", "--data", calibration, "--run", predicted(tmp_path, calibration, stepped, seed=0)),
        *("--validation", validation, "--validation-run", predicted(tmp_path, validation, stepped, seed=1)),
        *("--registry", "reg"),
    ]
    out, _ = trustvqa(tmp_path, *command)
    assert "Judged on 200 answers of validation, which no fit saw" in out
    artifacts = {each.key.estimator: each for each in Registry(tmp_path / "reg").calibrators.load_all()}
    assert live(tmp_path) == {name: artifact.name for name, artifact in artifacts.items()}
    for estimator, artifact in artifacts.items():
        choice = artifact.choice
        assert choice is not None
        assert artifact.family == choice.chosen
        assert artifact.questions == load_dataset(calibration).fingerprint  # so that references of them are found
        assert choice.chosen in ("histogram", "isotonic", "venn-abers")
        named = f"{choice.chosen}-{estimator}-m{'-policy-1' * (estimator == 'cgp')}-answer-compact-1"
        assert re.fullmatch(rf"{re.escape(named)}-[0-9a-f]{{8}}", artifact.name)
        assert [each.family for each in choice.candidates] == list(FAMILIES)
        scores = {each.family: each.metrics["nll"]["value"] for each in choice.candidates if each.metrics}
        assert scores[choice.chosen] == pytest.approx(min(score for score in scores.values() if score), abs=1e-4)
        before, after = artifact.metrics_before["ece"]["value"], artifact.metrics_after["ece"]["value"]
        assert before is not None
        assert after is not None
        assert after < before / 2
        rows = [line for line in out.splitlines() if line.startswith(f"*  {choice.chosen}")]
        assert rows
        assert f"live: {artifact.name}" in out
    assert "two-signal needs one of stated, agreement" in " ".join(out.split())
    assert "if perfectly calibrated" in out

    kept = tmp_path / "run-calibration-m"
    listed = json.loads((kept / "calibration.json").read_text())["calibrators"]
    assert [CalibratorArtifact.model_validate(each) for each in listed] == [artifacts["verbalized"], artifacts["cgp"]]
    page = (kept / "calibration.html").read_text()
    assert page.count("<svg") == 4
    assert page.count("</strong>, chosen") == 2
    assert "Reliability diagram of cgp corrected" in page


def test_without_validation_questions_folds_judge_and_a_second_signal_may_win(
    tmp_path: Path, calibration: Path
) -> None:
    run = predicted(tmp_path, calibration, bent, seed=0, agreement=True)
    out, _ = trustvqa(
        tmp_path, "calibrate", "--data", calibration, "--run", run, "--methods", "cgp", "--registry", "reg"
    )
    assert "each by fits that did not see it" in out
    assert list(live(tmp_path)) == ["cgp"]
    assert live(tmp_path)["cgp"].startswith("several-signal-cgp")
    out, _ = trustvqa(
        tmp_path, "evaluate", "--data", calibration, "--run", run, "--methods", "cgp", "--registry", "reg"
    )
    assert "cgp + several-signal" in out


def test_a_named_family_is_taken_as_before_and_replaces_what_was_live(tmp_path: Path, calibration: Path) -> None:
    run = predicted(tmp_path, calibration, stepped, seed=0)
    command: list[Argument] = [
        "calibrate",
        "--data",
        calibration,
        "--run",
        run,
        "--methods",
        "cgp",
        "--registry",
        "reg",
    ]
    trustvqa(tmp_path, *command)
    chosen = live(tmp_path)["cgp"]
    assert not chosen.startswith("platt")
    for option in ("--family", "--method"):
        out, _ = trustvqa(tmp_path, *command, option, "platt")
        assert "Judged" not in out
        (platt,) = live(tmp_path).values()
        assert platt.startswith("platt-cgp-m-policy-1-answer-compact-1-")
        assert (f"in place of {chosen}" in out) == (option == "--family")
    # The other one is still there, and going back is naming it.
    registry = Registry(tmp_path / "reg")
    assert registry.activate_calibrator(chosen) == platt


def test_groups_are_corrected_each_by_itself_where_they_differ(tmp_path: Path, calibration: Path) -> None:
    run = predicted(tmp_path, calibration, lambda stated: stated, seed=3)
    kept, random = run / "predictions.jsonl", np.random.default_rng(1)
    rows = [Prediction.model_validate_json(line) for line in kept.read_text().splitlines()]
    named = []
    for row in rows:
        modality = ("CT", "MR")[int(row.id[1:]) % 2]
        right = random.random() < (row.confidence or 0) - (0.45 if modality == "MR" else 0)
        named.append(row.model_copy(update={"groups": {"modality": modality}, "answer": "A" if right else "B"}))
    kept.write_text("".join(f"{row.model_dump_json()}\n" for row in named))
    command: list[Argument] = ["calibrate", "--data", calibration, "--run", run, "--registry", "reg"]
    command += ["--methods", "cgp", "--family", "platt"]
    out, _ = trustvqa(tmp_path, *command, "--by-group", "modality")
    [artifact] = Registry(tmp_path / "reg").calibrators.load_all()
    ct, mr, unknown = artifact.correct([0.8] * 3, groups=[{"modality": "ct"}, {"modality": "MR"}, {}]).tolist()
    assert ct - mr > 0.25
    assert mr < unknown < ct
    for value, errors in artifact.groups["modality"].items():
        [line] = [line for line in out.splitlines() if line.startswith(f"{value} (150)")]
        assert f"{errors.after['value']:.3f}" in line
    assert "By group" in (run / "calibration.html").read_text()
    _, err = trustvqa(tmp_path, *command, "--by-group", "sex", status=1)
    assert "no answer names its sex" in err


def test_asks_the_models_for_the_validation_questions(tmp_path: Path) -> None:
    calibration, validation = (questions(tmp_path, name, 60, first) for name, first in (("a", 0), ("b", 60)))
    server = ScriptedServer()
    with serving(server) as models:
        trustvqa(tmp_path, "calibrate", "--data", calibration, "--validation", validation, "--registry", "reg", *models)
    assert len(server.prompts) == 3 * 2 * 60
    assert set(live(tmp_path)) == {"verbalized", "cgp", "cgp+logprob"}
    assert len(list((tmp_path / "var" / "runs").iterdir())) == 2


def test_too_few_answers_or_one_kind_only_are_refused_and_nothing_is_published(tmp_path: Path) -> None:
    few, many = questions(tmp_path, "few", 40), questions(tmp_path, "many", 80)
    cases: list[tuple[Path, Curve, list[Argument], str]] = [
        (few, bent, [], "verbalized: 40 calibration answers with a verdict and a known truth are too few"),
        (many, lambda _: 1.0, [], "verbalized: of 80 calibration answers none are wrong"),
        (
            many,
            lambda _: 1.0,
            ["--family", "platt"],
            "verbalized: a calibrator is fitted on right and wrong answers; these are all right",
        ),
    ]
    for index, (data, curve, more, said) in enumerate(cases):
        run = predicted(tmp_path, data, curve, seed=0, model=f"m{index}")
        _, err = trustvqa(tmp_path, "calibrate", "--data", data, "--run", run, "--registry", "reg", *more, status=1)
        assert said in err
    assert not (tmp_path / "reg").exists()


@pytest.mark.parametrize(
    ("name", "first", "model", "said"),
    [
        ("pmc-test_clean", 300, "m", "is a test split by its name"),
        ("test", 300, "m", "is a test split by its name"),
        ("validation", 200, "m", "100 questions are in --data and in --validation"),
        ("validation", 300, "other", "downstream: m and other"),
    ],
)
def test_validation_questions_that_must_not_judge_are_refused(
    tmp_path: Path, calibration: Path, name: str, first: int, model: str, said: str
) -> None:
    validation = questions(tmp_path, name, 200, first)
    command: list[Argument] = [
        *("calibrate", "--data", calibration, "--run", predicted(tmp_path, calibration, bent, seed=0)),
        *("--validation", validation, "--registry", "reg"),
        *("--validation-run", predicted(tmp_path, validation, bent, seed=1, model=model)),
    ]
    _, err = trustvqa(tmp_path, *command, status=1)
    assert said in err
    assert not (tmp_path / "reg").exists()


def test_validation_answers_beside_another_second_model_are_refused(tmp_path: Path, calibration: Path) -> None:
    validation = questions(tmp_path, "validation", 200, 300)
    runs = [predicted(tmp_path, data, bent, seed=seed) for seed, data in enumerate((calibration, validation))]
    for run, second in zip(runs, ("second-1", "second-2"), strict=True):
        manifest = read_manifest(run).model_copy(update={"second": second})
        (run / "run.json").write_text(manifest.model_dump_json())
    command: list[Argument] = [
        *("calibrate", "--data", calibration, "--run", runs[0], "--registry", "reg"),
        *("--validation", validation, "--validation-run", runs[1]),
    ]
    _, err = trustvqa(tmp_path, *command, status=1)
    assert "second: second-1 and second-2" in err
    assert not (tmp_path / "reg").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--family", "magic"], "no calibration method 'magic'; there are identity, temperature, platt"),
        (["--validation-run", "x"], "--validation-run needs --validation"),
        (["--family", "platt", "--validation", "x"], "leave one out"),
    ],
)
def test_wrong_usage_is_explained(tmp_path: Path, calibration: Path, arguments: list[str], said: str) -> None:
    _, err = trustvqa(tmp_path, "calibrate", "--data", calibration, *arguments, status=1)
    assert said in err


def fitted_with(run: Path, data: Path) -> list[Argument]:
    command: list[Argument] = ["calibrate", "--data", data, "--run", run, "--methods", "cgp", "--registry", "reg"]
    return [*command, "--family", "platt", "--probe-rows"]


def test_a_share_of_answers_to_questions_without_their_right_option_is_fitted_on(
    tmp_path: Path, calibration: Path
) -> None:
    run = predicted(tmp_path, calibration, bent, seed=0, agreement=True)
    command = fitted_with(run, calibration)
    _, said = trustvqa(tmp_path, *command, "0.2", status=1)
    assert "trustvqa evaluate --probe right-option-removed" in " ".join(said.split())
    folder = probed(run, calibration)
    trustvqa(tmp_path, *command, "0")
    trustvqa(tmp_path, *command, "0.2")
    [aware] = Registry(tmp_path / "reg").calibrators.load_all()  # of the same name: the newest
    assert (aware.n, aware.warnings) == (375, [ANY])
    assert "75 of the 375 answers fitted on" in aware.warnings[0]
    assert aware.data_hash == fitting_hash([row for row in read_predictions(run) if row.estimator == "cgp"])
    assert aware.replaced is not None
    assert (aware.replaced.n, aware.replaced.data_hash == aware.replaced.drawn_from) == (75, False)
    # Its figures on the probe's run, some of whose answers were fitted on, are in-sample, too.
    rows, probe = read_predictions(folder), read_manifest(folder)
    told = {each.name: each.in_sample for each in build_report(rows, probe, [aware], resamples=2).methods}
    assert told == {"verbalized": False, "cgp": False, "cgp + platt": True}
    [other] = [each for each in build_report(rows[:500], probe, [aware], resamples=2).methods if each.calibrator]
    assert not other.in_sample
    _, said = trustvqa(tmp_path, "calibrate", "--from-feedback", "--probe-rows", "0.2", status=1)
    assert "--probe-rows asks questions" in " ".join(said.split())


def test_a_probe_of_another_model_or_of_other_questions_is_refused(tmp_path: Path, calibration: Path) -> None:
    run = predicted(tmp_path, calibration, bent, seed=0)
    probed(run, calibration, model="other")
    _, said = trustvqa(tmp_path, *fitted_with(run, calibration), "0.2", status=1)
    assert "downstream: m and other" in said
    again = predicted(tmp_path, calibration, bent, seed=0, model="again")
    (again / "run.json").write_text((run / "run.json").read_text())
    others = probed(tmp_path, questions(tmp_path, "others", 300, first=300))
    others.rename(again / others.name)
    _, said = trustvqa(tmp_path, *fitted_with(again, calibration), "0.2", status=1)
    assert "questions: those of calibration and of others, right-option-removed" in " ".join(said.split())
    assert not (tmp_path / "reg").exists()


def test_the_share_is_of_rows_that_can_be_fitted_on_and_what_there_is_is_taken(
    tmp_path: Path, calibration: Path
) -> None:
    run = predicted(tmp_path, calibration, bent, seed=0)
    folder = probed(run, calibration)

    def unread(where: Path, ids: range) -> None:
        rows = [
            row.model_copy(update={"answer": None, "confidence": None, "invalid": "no_answer"})
            if int(row.id[1:]) in ids
            else row
            for row in read_predictions(where)
        ]
        (where / "predictions.jsonl").write_text("".join(f"{row.model_dump_json()}\n" for row in rows))

    unread(run, range(100))  # 200 plain rows remain
    trustvqa(tmp_path, *fitted_with(run, calibration), "0.2")
    [made] = Registry(tmp_path / "reg").calibrators.load_all()
    assert made.n == 250
    unread(folder, range(200))
    _, said = trustvqa(tmp_path, *fitted_with(run, calibration), "0.5")
    [made] = Registry(tmp_path / "reg").calibrators.load_all()
    assert 200 < made.n < 300
    assert f"cgp: --probe-rows 0.5 would be 200 answers; {made.n - 200} can be used" in " ".join(said.split())


def test_missing_answers_of_a_probe_are_named_with_the_command_that_asks_for_them(
    tmp_path: Path, calibration: Path
) -> None:
    run = predicted(tmp_path, calibration, bent, seed=0)
    kept = probed(run, calibration) / "predictions.jsonl"
    kept.write_text("".join(line for line in kept.read_text().splitlines(keepends=True) if '"cgp"' not in line))
    _, said = trustvqa(tmp_path, *fitted_with(run, calibration), "0.2", status=4)
    said = " ".join(said.split())
    assert "cgp: 75 predictions of the probe right-option-removed are missing" in said
    assert "`trustvqa evaluate --probe right-option-removed --methods verbalized,cgp" in said
    assert "the same command" not in said
