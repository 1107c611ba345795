"""`trustvqa calibrate --reference`: nearness to reference inputs beside the answers of a run, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from prompt4trust.datasets import load_dataset
from prompt4trust.picture_files import PREPARATION
from prompt4trust.shift import PictureAndWords, fit_reference, signal_of
from services.common.registry.directory import Registry
from tests.prompt4trust.shift.questions import described
from tests.trustvqa.cli.commands import run_command
from tests.trustvqa.cli.models.test_calibrate_command import predicted, questions, stepped
from tests.trustvqa.cli.runs.test_evaluate_command import trustvqa


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return questions(tmp_path, "calibration", 300)


def reference(folder: Path, fingerprint: str = "0" * 64) -> tuple[Path, str]:
    """Reference inputs of words alone, made from questions with a fingerprint; and their signal."""
    artifact = fit_reference(
        described(300, pictures=False),
        PictureAndWords(),
        name=f"words-{fingerprint[:4]}",
        dataset="others",
        questions=f"sha256:{fingerprint}",
        picture_preparation=PREPARATION,
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    )
    path = folder / f"{artifact.name}.json"
    artifact.save(path)
    return path, signal_of(artifact)


def test_a_calibrator_is_fitted_with_the_distances_and_names_their_reference(tmp_path: Path, data: Path) -> None:
    """The earlier run was asked without them: they are computed now, and no model is asked."""
    run, (path, signal) = predicted(tmp_path, data, stepped, seed=0), reference(tmp_path)
    asked = ("--data", data, "--run", run, "--methods", "cgp", "--family", "several-signal")
    _, err = trustvqa(tmp_path, "calibrate", *asked, "--registry", "reg", status=1)
    assert "several-signal needs one of" in " ".join(err.split())
    trustvqa(tmp_path, "calibrate", *asked, "--reference", path, "--registry", "reg")
    (fitted,) = Registry(tmp_path / "reg").calibrators.load_all()
    # The distances of these questions are all alike, and say nothing of their answers.
    assert set(fitted.calibrator().inputs()) <= {signal}
    assert fitted.questions == load_dataset(data).fingerprint


def test_the_questions_that_a_reference_was_made_from_are_refused(tmp_path: Path, data: Path) -> None:
    run = predicted(tmp_path, data, stepped, seed=0)
    path, _ = reference(tmp_path, load_dataset(data).fingerprint)
    asked = ("--data", data, "--run", run, "--registry", "reg")
    _, err = trustvqa(tmp_path, "calibrate", *asked, "--reference", path, status=1)
    assert "made from these very questions" in " ".join(err.split())
    _, err = trustvqa(tmp_path, "evaluate", "--data", data, "--reference", path, "--limit", "100", status=1)
    assert "made from these very questions" in " ".join(err.split())
    assert not (tmp_path / "reg").exists()
    _, err = trustvqa(tmp_path, "evaluate", *asked, "--reference", "none.json", status=1)
    assert "--reference none.json" in err


def test_a_guard_needs_a_run_that_records_what_its_calibrator_takes(tmp_path: Path, data: Path) -> None:
    run, signal = predicted(tmp_path, data, stepped, seed=0), "typicality:0123456789abcdef"
    trustvqa(tmp_path, "calibrate", "--data", data, "--run", run, "--methods", "cgp", "--registry", "reg")
    (fitted,) = Registry(tmp_path / "reg").calibrators.load_all()
    several = {"signals": signal, "weights": [1.0, 0.5], "intercept": 0.0, "clips": [0.01, 0.01]}
    changed = fitted.model_copy(update={"family": "several-signal", "parameters": several})
    Registry(tmp_path / "reg").calibrators.publish(changed)
    others = predicted(tmp_path, questions(tmp_path, "guard", 300, first=300), stepped, seed=1)
    asked = ("--run", others, "--methods", "cgp", "--scale", "calibrated", "--registry", "reg")
    _, err = run_command(tmp_path, "guard", *asked, status=1)
    assert f"needs {signal}, which the run does not record" in " ".join(err.split())
