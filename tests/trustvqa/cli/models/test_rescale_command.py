"""`trustvqa rescale`: the live calibrator's numbers rest on all checked answers, and its guard stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation import fit_calibrator, read_manifest, read_predictions
from prompt4trust.selection import CalibratorReference, GuardArtifact
from services.common.registry.directory import Registry
from tests.trustvqa.cli.commands import run_command
from tests.trustvqa.cli.models.test_guard_command import make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of other questions each, the first of few."""
    folder = tmp_path_factory.mktemp("runs")
    sizes = {"fitting": 120, "validation": 300, "guarding": 500}
    return {name: make_run(folder / name, seed=seed, n=n) for seed, (name, n) in enumerate(sizes.items(), start=1)}


@pytest.fixture
def registry(runs: dict[str, Path], tmp_path: Path) -> Registry:
    """A calibrator that turns too many of the answers down, and its guard."""
    found = Registry(tmp_path / "registry")
    manifest, rows = read_manifest(runs["fitting"]), read_predictions(runs["fitting"])
    few = [row for row in rows if row.estimator == "cgp" and (row.correct or int(row.id.split("-")[1]) % 2)]
    artifact = fit_calibrator(
        [row if index % 3 else row.model_copy(update={"answer": "B"}) for index, row in enumerate(few)],
        name="platt-cgp", family="platt", key=manifest.calibration_key("cgp"), dataset="split-1",
        clock=lambda: manifest.created, resamples=20,
    )  # fmt: skip
    found.calibrators.publish(artifact.model_copy(update={"questions": manifest.data_hash}))
    found.activate_calibrator("platt-cgp", who="a test")
    run_command(tmp_path, "guard", "--run", runs["guarding"], "--methods", "cgp", "--scale", "calibrated",
                "--registry", "registry")  # fmt: skip
    return found


def rescale(folder: Path, *arguments: str | Path, status: int = 0) -> tuple[str, str]:
    out, err = run_command(folder, "rescale", *arguments, "--registry", "registry", "--resamples", "50", status=status)
    return out, " ".join(err.split())


def all_runs(runs: dict[str, Path]) -> list[str | Path]:
    return [part for run in runs.values() for part in ("--run", run)]


def only(registry: Registry) -> tuple[CalibratorArtifact, GuardArtifact]:
    [calibrator], [guard] = registry.calibrators.load_all(), registry.guards.load_all()
    return calibrator, guard


def test_it_is_published_shown_and_taken_back(runs: dict[str, Path], registry: Registry, tmp_path: Path) -> None:
    before, guard = only(registry)
    out, _ = rescale(tmp_path, *all_runs(runs), "--methods", "cgp")
    after, same = only(registry)
    assert same == guard
    assert after.rescaling is not None
    assert [(each.dataset, each.n, each.judged) for each in after.rescaling.data] == [
        ("split-1", 120, False), ("split-2", 300, True), ("split-3", 500, True),
    ]  # fmt: skip
    assert guard.calibrator == CalibratorReference.of(after)
    assert registry.active.calibrators() == {after.key.line: after.name}
    assert after.created > before.created
    assert f"the order of answers rests on {before.n} of them, as before, and the stated confidence on 920" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("log", "Brier", "ECE"))]

    # The guard made anew from the rescaled one is the same.
    run_command(tmp_path, "guard", "--run", runs["guarding"], "--methods", "cgp", "--scale", "calibrated",
                "--registry", "registry")  # fmt: skip
    assert only(registry)[1].risk == guard.risk

    out, _ = rescale(tmp_path, "--take-back", after.name)
    assert f"no rescaling: order and stated confidence rest on {before.n} answers" in out
    back, _ = only(registry)
    assert back.model_copy(update={"created": before.created}) == before
    _, err = rescale(tmp_path, "--take-back", after.name, status=1)
    assert "is not rescaled" in err


def test_it_can_be_shown_alone_and_as_json(runs: dict[str, Path], registry: Registry, tmp_path: Path) -> None:
    before, _ = only(registry)
    out, _ = rescale(tmp_path, *all_runs(runs), "--methods", "cgp", "--no-publish", "--json")
    [document] = json.loads(out)
    assert (document["calibrator"], document["order_n"], document["rescaling"]["n"]) == ("platt-cgp", before.n, 920)
    assert only(registry)[0] == before


def test_what_does_not_belong_together_is_refused(runs: dict[str, Path], registry: Registry, tmp_path: Path) -> None:
    before, _ = only(registry)
    for arguments, said in (
        ([], "--run is missing"),
        (["--run", runs["fitting"], "--take-back", "platt-cgp"], "--take-back takes no runs"),
        (["--take-back", "other"], "the registry has no calibrator 'other'"),
        ([*all_runs(runs), "--methods", "logprob"], "logprob: the registry has no calibrator of these models"),
        ([*all_runs(runs), "--methods", "verbalized"], "the run has no predictions by 'verbalized'"),
        ([*all_runs(runs), "--run", runs["guarding"], "--methods", "cgp"], "a question is there twice"),
        (["--run", runs["fitting"], "--methods", "cgp"], "only 0 answers"),
    ):
        _, err = rescale(tmp_path, *arguments, status=1)
        assert said in err
    other = make_run(tmp_path / "other", seed=8, n=200, downstream="another")
    _, err = rescale(tmp_path, *all_runs(runs), "--run", other, "--methods", "cgp", status=1)
    assert "the runs are of different models" in err
    manifest = read_manifest(make_run(tmp_path / "test", seed=9, n=200))
    tested = manifest.model_copy(update={"dataset": "questions-test"})
    (tmp_path / "test" / "run.json").write_text(tested.model_dump_json())
    _, err = rescale(tmp_path, *all_runs(runs), "--run", tmp_path / "test", "--methods", "cgp", status=1)
    assert "questions-test is a test split by its name" in err
    assert only(registry)[0] == before
