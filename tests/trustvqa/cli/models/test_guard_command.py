"""`trustvqa guard`: from the predictions of a run to published evidence, without asking a model."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from prompt4trust.calibration import CalibratorArtifact, fit_artifact
from prompt4trust.estimators.option_signals import option_signals
from prompt4trust.evaluation import Prediction, PredictionLog, RunManifest, read_predictions
from prompt4trust.evaluation.prediction_arrays import fitting_rows
from prompt4trust.evaluation.predictions import Failure
from prompt4trust.picture_files import PREPARATION
from prompt4trust.selection import GuardArtifact
from services.common.registry.directory import Registry
from tests.support.calibration_keys import decodings, whole_key
from tests.trustvqa.cli.commands import run_command

PAIRS = {
    name: whole_key(downstream="scripted", policy=policy, estimator=name, answer_template="answer-compact@1")
    for name, policy in (("cgp", "policy-1"), ("logprob", None))
}


def make_run(folder: Path, *, seed: int, n: int = 800, missing: int = 0, about: int = 1, **changes: str) -> Path:
    """Predictions of two methods: cgp states what is true of it, logprob has a probability for each option.

    So many questions are about each picture.
    """
    rng = np.random.default_rng(seed)
    manifest = RunManifest(
        dataset=f"split-{seed}",
        data_hash=f"{seed}",
        questions=n,
        estimators=tuple(PAIRS),
        template="answer-compact@1 (0123)",
        sampling={},
        software="trustvqa",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        decoding=decodings(*PAIRS),
        picture_preparation=PREPARATION,
        **{"downstream": "scripted", "policy": "policy-1", **changes},
    )
    folder.mkdir()
    (folder / "run.json").write_text(manifest.model_dump_json())
    with PredictionLog(folder) as log:
        for index in range(n):
            groups = {"family": ("side", "size")[index % 2]}
            for name in PAIRS:
                picture = f"{seed}-{index // about}"
                row = Prediction(id=f"{seed}-{index}", estimator=name, truth="A", groups=groups, picture=picture)
                if index < missing:
                    log.append(row.model_copy(update={"failure": Failure(service="downstream", detail="away")}))
                    continue
                stated = float(rng.choice([0.55, 0.75, 0.97]))
                right = rng.random() < stated
                probabilities = rng.dirichlet([4 * stated, 1, 1])
                signals = option_signals(dict(zip("ABC", probabilities.tolist(), strict=True)))
                update = {"answer": "A" if right else "B", "confidence": stated}
                log.append(row.model_copy(update={**update, "signals": signals if name == "logprob" else {}}))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run to make promises from, and one of other questions."""
    folder = tmp_path_factory.mktemp("runs")
    return make_run(folder / "calibration", seed=1), make_run(folder / "test", seed=2)


def guard(folder: Path, *arguments: str | Path, status: int = 0) -> tuple[str, str]:
    return run_command(folder, "guard", *arguments, "--registry", "registry", status=status)


def lines_of(out: str, start: str) -> list[list[str]]:
    return [re.split(" {2,}", line.strip()) for line in out.splitlines() if line.startswith(start)]


def test_evidence_is_published_and_shown_on_both_splits(runs: tuple[Path, Path], tmp_path: Path) -> None:
    run, other = runs
    out, _ = guard(tmp_path, "--run", run, "--report-data", other)
    found = {each.key.estimator: each for each in Registry(tmp_path / "registry").guards.load_all()}
    assert {name: each.key for name, each in found.items()} == PAIRS
    assert re.fullmatch(r"guard-cgp-scripted-policy-1-answer-compact-1-[0-9a-f]{8}", found["cgp"].name)
    assert (found["cgp"].rows, found["cgp"].set_aside, found["cgp"].dataset) == (800, 0, "split-1")
    assert found["cgp"].questions == "1"  # as the run has it
    assert (found["cgp"].options, found["logprob"].options is None) == (None, False)
    assert out.count("no option sets: this method gives no probability") == 1

    # Of cgp: what is shown is what the rule gives, and what it comes to on the other run, counted here by hand.
    limit = found["cgp"].risk_rule(0.05).at(0.1)
    assert limit is not None
    confidence, answered, wrong, elsewhere, wrong_elsewhere = lines_of(out, "10 %")[0][1:]
    assert confidence.startswith(f"{limit.confidence:.4g}")
    assert answered == f"{100 * limit.accepted / 800:.3g} %"
    assert f"({limit.errors} of {limit.accepted})" in wrong
    rows = [row for row in read_predictions(other) if row.estimator == "cgp"]
    given = [row for row in rows if found["cgp"].score(row.confidence or 0, [row.id]) >= limit.score]
    assert elsewhere == f"{100 * len(given) / len(rows):.3g} %"
    assert f"({sum(not row.correct for row in given)} of {len(given)})" in wrong_elsewhere
    assert len(given) > 100
    assert lines_of(out, "1 %")[0][1:3] == ["none", "0 %"]
    [sets] = [line for line in out.splitlines() if line.startswith("option sets for 90 %")]
    held = float(sets.split("elsewhere in ")[1].split(" %")[0])
    assert held == pytest.approx(90, abs=4)  # n = 800 to make, 800 to look: a standard error of 1.5


def test_a_run_that_does_not_say_how_it_was_decoded_makes_no_evidence(tmp_path: Path) -> None:
    run = make_run(tmp_path / "old", seed=1, n=120)
    stored = json.loads((run / "run.json").read_text())
    del stored["decoding"], stored["picture_preparation"]
    (run / "run.json").write_text(json.dumps(stored))
    _, err = guard(tmp_path, "--run", run, status=1)
    assert "these answers are of an older version" in " ".join(err.split())
    assert not (tmp_path / "registry").exists()


def test_groups_ties_and_methods_can_be_chosen_and_nothing_published(runs: tuple[Path, Path], tmp_path: Path) -> None:
    run, other = runs
    out, _ = guard(tmp_path, "--run", run, "--report-data", other, "--methods", "logprob", "--group", "family",
                   "--ties", "together", "--no-publish")  # fmt: skip
    assert "cgp" not in out
    [sets] = [line for line in out.splitlines() if line.startswith("option sets for 80 %")]
    assert "side: " in sets
    assert "size: " in sets
    assert "of those at it" not in out
    assert not (tmp_path / "registry").exists()


def test_a_risk_that_holds_in_every_group_is_shown_and_published_by_group(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    run, other = runs
    out, _ = guard(tmp_path, "--run", run, "--report-data", other, "--methods", "cgp", "--risk-by-group", "family",
                   "--json")  # fmt: skip
    [document] = json.loads(out)
    [published] = Registry(tmp_path / "registry").guards.load_all()
    rules = published.group_rules(0.05)
    assert rules is not None
    assert set(document["risks_by_group"]) == {"family side", "family size"}
    for group in rules.groups:
        assert group.rule is not None
        [at_20] = [each for each in document["risks_by_group"][group.line] if each["max_risk"] == 0.2]
        limit = group.rule.at(0.2)
        assert (at_20["limit"] or {}).get("accepted") == (limit and limit.accepted)
        # What came of it on the other run, counted here by hand.
        rows = [row for row in read_predictions(other) if f"family {row.groups['family']}" == group.line]
        scored = [row for row in rows if row.estimator == "cgp"]
        given = [row for row in scored if limit and published.score(row.confidence or 0, [row.id]) >= limit.score]
        assert (at_20["answered"], at_20["questions"]) == (len(given), len(scored))
        assert at_20["wrong"] == sum(not row.correct for row in given)
    out, _ = guard(tmp_path, "--run", run, "--methods", "cgp", "--risk-by-group", "family", "--no-publish")
    assert "a question of no group here is left to a person" in " ".join(out.split())
    assert "family side, 400 questions" in out
    _, err = guard(tmp_path, "--run", run, "--risk-by-group", "sex", status=1)
    assert "no answer names its sex" in err


def test_where_questions_share_pictures_no_two_that_are_tested_do(tmp_path: Path) -> None:
    run = make_run(tmp_path / "shared", seed=6, n=480, about=4)
    out, _ = guard(tmp_path, "--run", run, "--methods", "cgp", "--json")
    [document] = json.loads(out)
    assert (document["n"], document["unit"], document["left_out"], document["warnings"]) == (120, "picture", 360, [])
    [published] = Registry(tmp_path / "registry").guards.load_all()
    assert (published.rows, published.unit, published.left_out) == (120, "picture", 360)
    out, _ = guard(tmp_path, "--run", run, "--methods", "cgp", "--no-publish")
    assert "tested on 120 questions of split-6, drawn from 480 so that no two are about one picture" in " ".join(
        out.split()
    )


def calibrator(run: Path, seed: int = 0) -> CalibratorArtifact:
    rows = [row for row in fitting_rows(read_predictions(run)) if row.estimator == "cgp"]
    return fit_artifact(
        [row.confidence or 0 for row in rows],
        [row.correct for row in rows],
        name="platt-cgp",
        family="platt",
        key=PAIRS["cgp"],
        dataset="x",
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        ids=[row.id for row in rows],
        resamples=10,
    )


def test_a_calibrated_confidence_is_judged_on_answers_that_its_calibrator_never_saw(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    run, other = runs
    arguments: list[str | Path] = ["--run", run, "--scale", "calibrated", "--methods", "cgp"]
    _, err = guard(tmp_path, *arguments, status=1)
    assert "the registry has no calibrator" in err
    Registry(tmp_path / "registry").calibrators.publish(calibrator(run))
    _, err = guard(tmp_path, *arguments, status=1)
    assert "fitted or chosen on these very answers" in err
    assert Registry(tmp_path / "registry").guards.load_all() == []
    fitted = calibrator(other)
    Registry(tmp_path / "registry").calibrators.publish(fitted)
    guard(tmp_path, *arguments)
    [found] = Registry(tmp_path / "registry").guards.load_all()
    assert found.scale == "calibrated"
    expected = {round(float(fitted.calibrator().apply(stated)), 4) for stated in (0.55, 0.75, 0.97)}
    assert {int(score) / 10_000 for score in found.risk.scores} == expected


def test_what_would_promise_too_much_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    run = runs[0]
    _, err = guard(tmp_path, "--run", run, "--report-data", run, status=1)
    assert "the very questions" in err
    stranger = make_run(tmp_path / "stranger", seed=3, n=100, downstream="another")
    _, err = guard(tmp_path, "--run", run, "--report-data", stranger, status=1)
    assert "another downstream" in err
    _, err = guard(tmp_path, "--run", run, "--methods", "verbalized", status=1)
    assert "no predictions by 'verbalized'; it has cgp, logprob" in err
    _, err = guard(tmp_path, "--run", run, "--group", "organ", status=1)
    assert "has no 'organ'" in err
    _, err = guard(tmp_path, "--run", make_run(tmp_path / "few", seed=4, n=60), status=1)
    assert "at least 100 checked answers, not 60" in err
    _, err = guard(tmp_path, "--run", make_run(tmp_path / "torn", seed=5, n=200, missing=5), status=4)
    assert "5 predictions by cgp are missing" in err
    _, err = guard(tmp_path, "--run", tmp_path / "gone", status=1)
    assert "gone" in err
    assert not (tmp_path / "registry").exists()


def test_the_file_is_what_a_gateway_reads(runs: tuple[Path, Path], tmp_path: Path) -> None:
    out, _ = guard(tmp_path, "--run", runs[0], "--methods", "cgp", "--delta", "0.1")
    assert "with 90 % certainty" in out
    path = Path(out.splitlines()[-1])
    assert GuardArtifact.load(tmp_path / path).applies_to(PAIRS["cgp"])
