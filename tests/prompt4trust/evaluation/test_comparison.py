"""Methods beside each other: what differs is told question by question, and only where the answers show it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation import Prediction, RunManifest
from prompt4trust.evaluation.figures import Report
from prompt4trust.evaluation.report import ReportedRun, build_report, compare_runs
from prompt4trust.metrics import accuracy
from tests.support.calibration_keys import whole_key

NOW = datetime(2026, 1, 2, tzinfo=UTC)
N = 400


def manifest(policy: str = "p1", data_hash: str = "d") -> RunManifest:
    return RunManifest(
        dataset="numbers", data_hash=data_hash, questions=N, estimators=("verbalized", "cgp"), downstream="scripted",
        policy=policy, template="answer-compact@1 (0)", sampling={}, software="x", created=NOW,
    )  # fmt: skip


def rows(seed: int, cgp_errors: float) -> list[Prediction]:
    """Verbalized is right in 6 of 10 whatever the seed, cgp makes a given share of its errors; both state 0.9."""
    hard = np.random.default_rng(0).random(N)
    again = np.random.default_rng(seed).random(N)
    made = []
    for index in range(N):
        wrong = hard[index] < 0.4
        for name, fails in (("verbalized", wrong), ("cgp", wrong and again[index] < cgp_errors)):
            row = Prediction(id=f"q{index}", estimator=name, truth="A", answer="B" if fails else "A", confidence=0.9)
            made.append(row)
    return made


def halved(policy: str) -> CalibratorArtifact:
    """A calibrator that says 0.5 whatever is stated."""
    return CalibratorArtifact(
        name=f"half-{policy}", family="platt", parameters={"slope": 0.0, "intercept": 0.0}, n=1, dataset="d",
        key=whole_key(downstream="scripted", policy=policy, estimator="cgp", answer_template="answer-compact@1"),
        data_hash="sha256:" + "0" * 64, created=NOW, seed=0, metrics_before={}, metrics_after={},
    )  # fmt: skip


def right(report: Report, name: str) -> float:
    [value] = [method.figures.all["accuracy"].value for method in report.methods if method.name == name]
    return value or 0.0


def test_one_run_compares_estimators_with_the_first_and_calibrators_with_what_was_stated() -> None:
    report = build_report(rows(1, 0.5), manifest(), [halved("p1")], resamples=80, group_resamples=1)
    assert [(each.kind, each.method, each.than, each.n) for each in report.changes] == [
        ("method", "cgp", "verbalized", N),
        ("calibration", "cgp + platt", "cgp", N),
    ]
    guided, corrected = report.changes
    gained = guided.metrics["accuracy"]
    assert gained.value == pytest.approx(right(report, "cgp") - right(report, "verbalized"))
    assert gained.low is not None
    assert gained.low > 0
    # The same answers: nothing is gained, and there is nothing to be unsure of.
    assert corrected.metrics["accuracy"].model_dump() == {"value": 0, "low": 0, "high": 0}


def test_pairing_sees_what_two_intervals_side_by_side_do_not() -> None:
    report = build_report(rows(1, 0.85), manifest(), resamples=200, group_resamples=1)
    before, after = (method.figures.all["accuracy"] for method in report.methods)
    assert before.high is not None
    assert after.low is not None
    assert before.high > after.low
    low = report.changes[0].metrics["accuracy"].low
    assert low is not None
    assert low > 0
    assert report.leading["accuracy"] == ("cgp",)


def test_who_cannot_be_told_from_the_best_leads_with_it_and_nobody_leads_alone_by_chance() -> None:
    report = build_report(rows(1, 0.5), manifest(), [halved("p1")], resamples=80, group_resamples=1)
    assert report.leading["accuracy"] == ("cgp", "cgp + platt")
    assert "mean_confidence" not in report.leading  # more is not better
    same = [row.model_copy(update={"estimator": name}) for row in rows(1, 1)[::2] for name in ("verbalized", "cgp")]
    assert build_report(same, manifest(), resamples=50, group_resamples=1).leading == {}


def test_several_runs_are_compared_with_the_first_and_equal_answers_are_listed_once() -> None:
    first = ReportedRun(manifest("p1"), rows(1, 0.9), [halved("p1")], "p1")
    second = ReportedRun(manifest("p2"), rows(2, 0.4), [halved("p2")], "p2")
    report = compare_runs([first, second], resamples=80, group_resamples=1)
    names = [method.name for method in report.methods]
    assert names == ["verbalized", "cgp (p1)", "cgp + platt (p1)", "cgp (p2)", "cgp + platt (p2)"]
    assert report.alike == ("verbalized",)
    assert [each.policy for each in (report.run, *report.others) if isinstance(each, RunManifest)] == ["p1", "p2"]
    assert [(each.kind, each.method, each.than) for each in report.changes] == [
        ("method", "cgp (p1)", "verbalized"),
        ("calibration", "cgp + platt (p1)", "cgp (p1)"),
        ("run", "cgp (p2)", "cgp (p1)"),
        ("method", "cgp (p2)", "verbalized"),
        ("run", "cgp + platt (p2)", "cgp + platt (p1)"),
        ("calibration", "cgp + platt (p2)", "cgp (p2)"),
    ]
    [policy] = [each for each in report.changes if (each.kind, each.method) == ("run", "cgp (p2)")]
    assert policy.than == "cgp (p1)"
    by_hand = accuracy(*columns(rows(2, 0.4))) - accuracy(*columns(rows(1, 0.9)))
    assert policy.metrics["accuracy"].value == pytest.approx(by_hand)
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_only_questions_that_all_answered_are_compared() -> None:
    partial = [row for row in rows(1, 0.5) if row.estimator == "cgp" or row.id != "q0"]
    assert build_report(partial, manifest(), resamples=5, group_resamples=1).changes[0].n == N - 1


def test_runs_of_other_questions_or_without_labels_are_refused() -> None:
    runs = [ReportedRun(manifest(data_hash=name), rows(1, 0.5), label=name) for name in ("d", "e")]
    with pytest.raises(ValueError, match="same questions"):
        compare_runs(runs)
    with pytest.raises(ValueError, match="labels"):
        compare_runs([ReportedRun(manifest(), []), ReportedRun(manifest(), [])])


def columns(made: list[Prediction]) -> tuple[list[float], list[bool]]:
    own = [row for row in made if row.estimator == "cgp"]
    return [row.confidence or 0 for row in own], [row.correct for row in own]


def test_differences_are_less_sure_where_questions_share_pictures() -> None:
    # Each question four times, about one picture: no more is known than from one of them.
    fourfold = [
        row.model_copy(update={"id": f"{row.id}-{copy}", "picture": row.id})
        for row in rows(1, 0.5)
        for copy in range(4)
    ]
    blind = [row.model_copy(update={"picture": None}) for row in fourfold]
    [shared], [alone] = (
        build_report(each, manifest(), resamples=200, group_resamples=1).changes for each in (fourfold, blind)
    )
    for metric in ("accuracy", "brier", "ece"):
        found, least = shared.metrics[metric], alone.metrics[metric]
        assert found.value == least.value
        assert (found.high or 0) - (found.low or 0) > 1.5 * ((least.high or 0) - (least.low or 0)), metric
