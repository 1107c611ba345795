"""The comparison of rewards: runs that differ by what is compared, figures against a reference, paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from benchmarks.rewards.runs import DEFAULT, START, VARIANTS, Plan, configured, recorded, run_folder, train
from benchmarks.rewards.study import FIGURES, VALID, report
from prompt4trust.questions import Question
from prompt4trust.verdict import Invalid, Verdict
from services.trainer.errors import RunError
from services.trainer.grpo.scoring import GuidedOutcome
from services.trainer.run_files.progress import PROGRESS

_N = 80


def _outcomes(seed: int, first: int = 0) -> list[GuidedOutcome]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(_N):
        question = Question(
            f"q{number + first}", "Which side?", {"A": "left", "B": "right"}, answer="A", groups={"family": "side"}
        )
        stated = float(rng.integers(1, 100) / 100)
        verdict = Invalid("no_answer") if number % 20 == 0 else Verdict("A" if rng.random() < stated else "B", stated)
        found.append(GuidedOutcome(question, "Look twice.", "", verdict, 0.0, 0.1))
    return found


def _columns(outcomes: Sequence[GuidedOutcome]) -> tuple[list[bool], list[float]]:
    return [each.correct for each in outcomes], [each.confidence for each in outcomes]


def test_runs_differ_by_what_is_compared_alone() -> None:
    plan = Plan(steps=12, completions=48)
    shared = {"reward", "curriculum", "version"}
    default = configured(DEFAULT, 1, plan, "v").model_dump(exclude=shared)
    for name in VARIANTS:
        found = configured(name, 1, plan, name.replace("+", "-"))
        assert found.model_dump(exclude=shared) == default
        assert found.train.n == 12 * 48 // found.rollout.num_generations  # type: ignore[union-attr]
    assert configured("log_score+curriculum", 1, plan, "v").curriculum is not None
    assert configured(DEFAULT, 1, plan, "v").curriculum is None


def test_a_run_that_is_done_is_not_run_again_and_none_goes_on_with_another_plan(tmp_path: Path) -> None:
    nowhere, plan = "http://127.0.0.1:9/v1", Plan(steps=4, completions=16)
    place = run_folder("tail_weighted", 2, tmp_path)
    place.mkdir(parents=True)
    (place / PROGRESS).write_text('{"state": "succeeded"}')
    policy = train("tail_weighted", 2, plan, nowhere, tmp_path)
    assert policy == tmp_path / "registry" / "policies" / place.name
    assert recorded("tail_weighted", 2, tmp_path)["reward"] == "tail_weighted"
    with pytest.raises(RunError, match="another configuration"):
        train("tail_weighted", 2, Plan(steps=5, completions=16), nowhere, tmp_path)


def test_figures_are_those_of_a_reference_and_differences_are_paired() -> None:
    rows = {
        (START, 0): _outcomes(0),
        (DEFAULT, 0): _outcomes(1),
        (DEFAULT, 1): _outcomes(2),
        ("brier", 0): _outcomes(1),
        ("brier", 1): _outcomes(3),
        (DEFAULT, 2): _outcomes(4),  # of no other reward: it tells of the default's spread alone
    }
    found = report({"greedy": rows}, resamples=20)["greedy"]
    brier = found["brier"]
    for place, seed in enumerate((0, 1)):
        correct, stated = _columns(rows["brier", seed])
        assert brier["brier"]["by seed"][place] == pytest.approx(brier_score_loss(correct, stated), abs=1e-6)
        assert brier["auroc"]["by seed"][place] == pytest.approx(roc_auc_score(correct, stated), abs=1e-6)
    # A mean over answers is the mean over seeds, which all answered the same questions.
    for figure in ("accuracy", "brier", "mean_confidence"):
        assert brier[figure]["value"] == pytest.approx(np.mean(brier[figure]["by seed"]), abs=1e-6)
    assert brier[VALID]["value"] == 1 - 4 / _N
    assert (brier["n"], brier["seeds"], brier["distinct"]) == (_N, 2, 1)
    less = brier[f"less {DEFAULT}"]
    for figure in FIGURES:
        same, other = less[figure]["by seed"]
        assert same["value"] == 0
        assert less[figure]["low"] <= less[figure]["value"] <= less[figure]["high"]
        expected = brier[figure]["by seed"][1] - found[DEFAULT][figure]["by seed"][1]
        assert other["value"] == pytest.approx(expected, abs=2e-6)
    assert f"less {DEFAULT}" not in found[START]
    assert len(found[DEFAULT]["accuracy"]["by seed"]) == 3
    # The first seed's answers are the same, so that half of the answers differ.
    expected = (brier["accuracy"]["by seed"][1] - found[DEFAULT]["accuracy"]["by seed"][1]) / 2
    assert less["accuracy"]["value"] == pytest.approx(expected, abs=1e-6)


def test_policies_that_were_asked_other_questions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not all were asked the same"):
        report({"greedy": {(DEFAULT, 0): _outcomes(1), ("brier", 0): _outcomes(1, first=1)}}, resamples=2)
