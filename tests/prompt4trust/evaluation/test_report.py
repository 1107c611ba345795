"""The report: its figures against hand calculations, and its files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from prompt4trust.calibration import CalibratorArtifact, Platt, reliability
from prompt4trust.datasets import Dataset
from prompt4trust.estimators.base import Answer
from prompt4trust.evaluation import (
    Prediction,
    Report,
    RunManifest,
    build_report,
    cross_fit,
    fit_calibrator,
)
from prompt4trust.models import Cost, Guidance, Sampling, TransportError
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question
from prompt4trust.verdict import Invalid, Verdict
from tests.support.calibration_keys import decodings, whole_key
from trustvqa.reports import metric_names, write_report
from trustvqa.reports.files import as_csv

OPTIONS = {"A": "x", "B": "y <b>"}
PAIR = whole_key(downstream="scripted", policy="policy-1", estimator="cgp", answer_template="answer-compact@1")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def manifest(questions: Sequence[Question], estimators: tuple[str, ...] = ("verbalized", "cgp")) -> RunManifest:
    return RunManifest.describe(
        Dataset("numbers", tuple(questions)),
        estimators,
        downstream="scripted",
        policy="policy-1",
        template=load_template("answer-compact@1"),
        sampling=Sampling(),
        created=NOW,
        decoding=decodings(*estimators),
    )


def question(index: int, family: str = "side") -> Question:
    groups = {"family": family, "difficulty": f"{index / 100:.4f}"}
    return Question(f"q{index}", f"Number {index} <script>?", OPTIONS, "A", None, groups)


def answered(asked: Question, letter: str, confidence: float, estimator: str = "cgp") -> Prediction:
    guidance = Guidance("hint", "policy-1", Cost()) if estimator == "cgp" else None
    return Prediction.of(asked, Answer(Verdict(letter, confidence), "t", estimator, guidance, Cost(2, 10, 4, 0.5)))


def overconfident_rows(n: int = 400) -> tuple[list[Question], list[Prediction]]:
    """Stated .8 to .99 and right in about 6 of 10; more often where more was stated."""
    rng = np.random.default_rng(1)
    questions = [question(i, ("side", "level")[i % 2]) for i in range(n)]
    rows = []
    for asked in questions:
        stated = round(float(rng.uniform(0.8, 0.99)), 2)
        right = rng.random() < 0.6 + 2 * (stated - 0.9)
        rows += [
            answered(asked, "A" if right else "B", stated),
            answered(asked, "A" if right else "B", 0.95, "verbalized"),
        ]
    return questions, rows


def test_figures_by_hand() -> None:
    questions = [question(i) for i in range(6)]
    rows = [
        answered(questions[0], "A", 0.9),
        answered(questions[1], "B", 0.95),
        answered(questions[2], "A", 0.6),
        Prediction.of(questions[3], Answer(Invalid("no_answer"), "prose", "cgp")),
        Prediction.failed(questions[4], "cgp", TransportError("downstream", "gone")),
    ]
    [method] = build_report(rows, manifest(questions, ("cgp",)), resamples=20).methods
    figures = method.figures
    assert (figures.n, method.failed, method.invalid, method.unlabelled) == (4, 2, {"no_answer": 1}, 0)
    # Wrong and invalid are wrong; the invalid row's confidence 0 is as far from its outcome 0 as can be wished.
    assert figures.all["accuracy"].value == pytest.approx(2 / 4)
    assert figures.all["brier"].value == pytest.approx((0.1**2 + 0.95**2 + 0.4**2 + 0) / 4)
    assert figures.all["valid_rate"].value == pytest.approx(3 / 4)
    assert figures.valid["accuracy"].value == pytest.approx(2 / 3)
    assert figures.valid["brier"].value == pytest.approx((0.1**2 + 0.95**2 + 0.4**2) / 3)
    assert figures.valid["ece"].value == pytest.approx((0.1 + 0.95 + 0.4) / 3)
    assert figures.confidence_spread == pytest.approx(np.std([0.9, 0.95, 0.6]))
    assert method.policies == ("policy-1",)
    assert (method.calls, method.tokens) == (6 / 4, 42 / 4)


def test_unlabelled_predictions_are_counted_and_kept_out() -> None:
    asked = Question("u", "?", OPTIONS)
    rows = [answered(question(0), "A", 0.5), answered(asked, "A", 0.5)]
    [method] = build_report(rows, manifest([question(0), asked], ("cgp",)), resamples=5).methods
    assert (method.figures.n, method.unlabelled, method.failed) == (1, 1, 0)


def test_no_predictions_at_all() -> None:
    report = build_report([], manifest([question(0)]), resamples=5)
    assert [(method.figures.n, method.failed) for method in report.methods] == [(0, 1), (0, 1)]
    assert report.methods[0].figures.all == {}


def test_a_calibrator_makes_a_further_method_of_its_own_estimator_only() -> None:
    questions, rows = overconfident_rows()
    own = [row for row in rows if row.estimator == "cgp"]
    artifact = fit_calibrator(
        own, name="platt-x", family="platt", key=PAIR, dataset="numbers", clock=lambda: NOW, resamples=20
    )
    report = build_report(rows, manifest(questions), [artifact], resamples=20)
    assert [method.name for method in report.methods] == ["verbalized", "cgp", "cgp + platt"]
    _, cgp, corrected = report.methods
    assert corrected.calibrator == "platt-x"
    assert (cgp.in_sample, corrected.in_sample) == (False, True)
    before, after = cgp.figures.all["ece"].value, corrected.figures.all["ece"].value
    assert before is not None
    assert after is not None
    assert before > 0.25
    assert after < 0.05
    assert cgp.figures.all["accuracy"] == corrected.figures.all["accuracy"]
    elsewhere = build_report(rows[:100], manifest(questions), [artifact], resamples=5).methods[2]
    assert not elsewhere.in_sample


def test_a_calibrator_leaves_invalid_rows_at_nought() -> None:
    questions = [question(i) for i in range(2)]
    rows = [answered(questions[0], "A", 0.9), Prediction.of(questions[1], Answer(Invalid("empty"), "", "cgp"))]
    artifact = CalibratorArtifact(
        name="half", family="platt", parameters={"slope": 0.0, "intercept": 0.0}, key=PAIR, n=1, dataset="d",
        data_hash="sha256:" + "0" * 64, created=NOW, seed=0, metrics_before={}, metrics_after={},
    )  # fmt: skip
    corrected = build_report(rows, manifest(questions, ("cgp",)), [artifact], resamples=5).methods[1].figures
    assert corrected.all["brier"].value == pytest.approx((0.5**2 + 0) / 2)
    assert corrected.all["mean_confidence"].value == pytest.approx(0.25)


def test_a_calibrator_of_two_signals_leaves_answers_without_the_second_as_stated() -> None:
    questions = [question(i) for i in range(3)]
    rows = [
        answered(asked, "A", 0.9).model_copy(update={"signals": {"agreement": 0.5} if place else {}})
        for place, asked in enumerate(questions)
    ]
    artifact = CalibratorArtifact(
        name="two", family="two-signal", key=PAIR, n=1, dataset="d", data_hash="sha256:" + "0" * 64, created=NOW,
        parameters={"second": "agreement", "weights": [0.0, 1.0], "intercept": 0.0, "clips": [0.01, 0.01]}, seed=0,
        metrics_before={}, metrics_after={},
    )  # fmt: skip
    corrected = build_report(rows, manifest(questions, ("cgp",)), [artifact], resamples=5).methods[1]
    assert corrected.figures.all["mean_confidence"].value == pytest.approx((0.9 + 0.5 + 0.5) / 3)
    assert corrected.uncorrected == 1
    assert "1 answer(s) lack a signal" in metric_names.remarks(corrected)[0]


def test_groups_by_value_and_numbers_in_quarters() -> None:
    questions, rows = overconfident_rows(100)
    cgp = build_report(rows, manifest(questions), resamples=5, group_resamples=5).methods[1]
    assert {value: figures.n for value, figures in cgp.groups["family"].items()} == {"level": 50, "side": 50}
    side = [row for row in rows if row.estimator == "cgp" and row.groups["family"] == "side"]
    share = np.mean([row.correct for row in side])
    assert cgp.groups["family"]["side"].all["accuracy"].value == pytest.approx(share)
    assert [(value, figures.n) for value, figures in cgp.groups["difficulty"].items()] == [
        ("0.00 to 0.24", 25),
        ("0.25 to 0.49", 25),
        ("0.50 to 0.74", 25),
        ("0.75 to 0.99", 25),
    ]


def test_the_worst_group_is_told_with_its_interval_and_in_the_csv() -> None:
    asked, rows = [], []
    random = np.random.default_rng(0)
    for index in range(300):
        family = ("side", "level", "rare")[2 if index % 30 == 0 else index % 2]
        asked.append(question(index, family))
        says, truth = (0.9, 0.9) if family == "side" else (0.9, 0.6)
        rows.append(answered(asked[-1], "A" if random.random() < truth else "B", says))
    made = build_report(rows, manifest(asked, ("cgp",)), resamples=20, group_resamples=20)
    worst = made.methods[0].worst["family"]
    errors = {value: figures.valid["ece"] for value, figures in made.methods[0].groups["family"].items()}
    assert (worst.value, worst.groups) == ("level", 2)  # ten answers of "rare" say nothing
    assert worst.ece.value == errors["level"].value
    assert worst.ece.low == max(errors[value].low or 0 for value in ("side", "level"))
    assert worst.ece.value is not None
    assert worst.by_chance.high is not None
    assert worst.ece.value > worst.by_chance.high
    line = next(line for line in as_csv(made).splitlines() if ",family,level,valid,150,worst_group_ece," in line)
    assert line.startswith(f"cgp,family,level,valid,{worst.n},worst_group_ece,{worst.ece.value}")
    assert Report.model_validate_json(made.model_dump_json()) == made


def test_reliability_bins_are_open_below_and_closed_above() -> None:
    confidence = np.array([0.0, 0.1, 0.10001, 0.9, 1.0])
    bins = reliability(confidence, np.array([False, True, True, False, True]))
    assert [each.n for each in bins] == [2, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert bins[0].confidence == pytest.approx(0.05)
    assert bins[0].accuracy == 0.5
    assert bins[3].accuracy is None


def test_the_same_predictions_give_the_same_report() -> None:
    questions, rows = overconfident_rows(60)
    first = build_report(rows, manifest(questions), resamples=50)
    assert build_report(rows, manifest(questions), resamples=50) == first


def test_files(tmp_path: Path) -> None:
    questions, rows = overconfident_rows(60)
    report = build_report(rows, manifest(questions), resamples=20, group_resamples=5)
    files = write_report(tmp_path, report, rows, questions)
    assert Report.model_validate_json(files["json"].read_bytes()) == report
    parsed = json.loads(files["json"].read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert parsed["methods"][1]["name"] == "cgp"

    table = list(csv.DictReader(io.StringIO(files["csv"].read_text())))
    [accuracy] = [
        row
        for row in table
        if (row["method"], row["group"], row["rows"], row["metric"]) == ("cgp", "", "all", "accuracy")
    ]
    assert float(accuracy["value"]) == report.methods[1].figures.all["accuracy"].value
    assert any(row["group_value"] == "level" for row in table)


def test_cross_fitting_is_honest_where_fitting_is_not() -> None:
    rng = np.random.default_rng(0)
    stated, right = np.full(300, 0.95), rng.random(300) < 0.6
    stated[::2] = 0.9
    corrected = cross_fit("platt", stated, right, folds=5, seed=3)
    random, fold = np.random.default_rng(3), np.empty(300, dtype=int)
    order = np.concatenate([random.permutation(np.flatnonzero(kind)) for kind in (right, ~right)])
    fold[order] = np.arange(300) % 5
    for index in range(5):
        held = fold == index
        assert corrected[held] == pytest.approx(Platt.fit(stated[~held], right[~held]).apply(stated[held]))
    assert len(np.unique(corrected)) == 10


def test_fit_calibrator_leaves_out_what_says_nothing() -> None:
    _, rows = overconfident_rows(100)
    own = [row for row in rows if row.estimator == "cgp"]
    noise = [
        Prediction.failed(question(500), "cgp", TransportError("downstream", "x")),
        Prediction.of(question(501), Answer(Invalid("empty"), "", "cgp")),
        answered(Question("u", "?", OPTIONS), "A", 0.5),
    ]
    options = {"name": "n", "family": "platt", "key": PAIR, "dataset": "d", "clock": lambda: NOW, "resamples": 10}
    clean = fit_calibrator(own, **options)  # type: ignore[arg-type]
    assert fit_calibrator(own + noise, **options) == clean  # type: ignore[arg-type]
    assert (clean.n, clean.folds) == (100, 5)
    with pytest.raises(ValueError, match="at least 20"):
        fit_calibrator(own[:10], **options)  # type: ignore[arg-type]
