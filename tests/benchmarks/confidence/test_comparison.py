"""The comparison of confidences: one call for all, figures against a reference, one procedure for every method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.confidence import peers
from benchmarks.confidence.figures import auprc_of, crossed, row
from benchmarks.confidence.kept_calls import KeptCalls
from benchmarks.confidence.looks import LOOKS, Seen, figures
from benchmarks.confidence.material import written
from benchmarks.confidence.questions import PARTS, questions
from benchmarks.confidence.second_model import ALONE, second_figures
from benchmarks.confidence.typical import shipped, with_signal
from prompt4trust.evaluation import Prediction
from prompt4trust.metrics.tally import Tally
from prompt4trust.models import Sampling
from tests.support.models import ScriptedDownstream, overconfident


async def test_a_call_is_asked_once_whoever_asks(tmp_path: Path) -> None:
    model = ScriptedDownstream(overconfident)
    message = [{"role": "user", "content": "Which side?"}]
    with KeptCalls(model, tmp_path / "calls.db") as kept:
        first = await kept.complete(message, Sampling(), top_logprobs=5)
        assert await kept.complete(message, Sampling()) == first
        assert (kept.asked, len(model.asked)) == (1, 1)
    with KeptCalls(model, tmp_path / "calls.db") as kept:
        assert await kept.complete(message, Sampling()) == first
        await kept.complete(message, Sampling(seed=1, temperature=0.5), n=2)
        assert kept.asked == 1
        for _ in range(2):  # bound to nothing: never kept
            await kept.complete(message, Sampling(temperature=0.5))
        assert (kept.asked, len(model.asked)) == (1, 4)


def test_errors_are_found_as_the_reference_finds_them() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.integers(0, 20, 300) / 20  # with ties
    correct = rng.random(300) < confidence
    expected = average_precision_score(~correct, 1 - confidence)
    assert float(auprc_of(Tally.of(confidence, correct))[0]) == pytest.approx(expected)
    assert np.isnan(auprc_of(Tally.of(confidence, np.ones(300, dtype=bool)))[0])


def _answers(seed: int, n: int, sharp: float) -> list[Prediction]:
    rng = np.random.default_rng(seed)
    chance, blur = rng.beta(2, 1, n), rng.random(n)
    right = rng.random(n) < chance
    stated = np.round(sharp * chance + (1 - sharp) * blur, 2)
    return [
        Prediction(id=f"q{each}", estimator="m", truth="A", answer="A" if good else "B", confidence=float(told))
        for each, (good, told) in enumerate(zip(right, stated, strict=True))
    ]


def test_a_row_of_a_better_signal_is_better_by_the_same_procedure() -> None:
    sharp, dull = (
        row(name, _answers(1, 120, share), _answers(2, 200, share), _answers(3, 300, share), resamples=20)
        for name, share in (("sharp", 1.0), ("dull", 0.1))
    )
    less = sharp.less(dull)
    auroc, answered = less["auroc"], less["answered_at_10"]
    assert isinstance(auroc, dict)
    assert isinstance(answered, dict)
    assert auroc["low"] is not None
    assert auroc["low"] > 0
    assert answered["value"] is not None
    assert answered["value"] >= 0
    figures = sharp.as_json()
    assert figures["n"] == 300
    given, wrong = figures["answered_at_10"], figures["wrong_at_10"]
    assert isinstance(given, dict)
    assert isinstance(wrong, dict)
    assert wrong["value"] <= given["value"]


def test_few_questions_are_cross_fitted_and_a_confidence_alone_keeps_its_order() -> None:
    rows = _answers(4, 120, 0.5)
    alone = crossed("m", rows, resamples=20)
    given = [each.confidence for each in rows]
    expected = roc_auc_score([each.correct for each in rows], given)
    assert alone.family == "platt"
    assert alone.metrics["auroc"].interval.value == pytest.approx(expected)
    assert alone.metrics["auroc_raw"].interval.value == pytest.approx(expected)
    # A signal that knows the outcome four times in five is taken by the calibrator, and an answer without a verdict is
    # wrong and not asked for it.
    known = [
        each.model_copy(update={"signals": {"agreement": 0.8 if each.correct == (place % 5 > 0) else 0.2}})
        for place, each in enumerate(rows)
    ]
    known[0] = Prediction(id="q0", estimator="m", truth="A", invalid="empty")
    better = crossed("m", known, resamples=20)
    assert better.family == "several-signal"
    assert better.metrics["accuracy"].interval.value == pytest.approx(np.mean([each.correct for each in known]))
    assert better.metrics["auroc"].interval.value > expected + 0.1
    assert better.metrics["ece"].interval.value < better.metrics["ece_raw"].interval.value
    assert set(better.less(alone)) == set(better.metrics)


@pytest.mark.parametrize(("scale", "scores"), [("confidence", [0.2, 0.9]), ("uncertainty", [3.0, -1.0])])
def test_other_packages_scores_keep_their_order(tmp_path: Path, scale: str, scores: Sequence[float]) -> None:
    replies = _answers(0, 2, 1.0)
    lost = Prediction(id="q9", estimator="m", truth="A", invalid="empty")
    material = tmp_path / "material.jsonl"
    material.write_text("".join(json.dumps({"id": f"q{n}", "calls": 2, "seconds": 0.5}) + "\n" for n in (0, 1, 9)))
    found = {"scale": scale, "scores": {"q0": scores[0], "q1": scores[1]}}
    low, high, none = peers.scored("theirs", found, [*replies, lost], material)
    assert low.confidence is not None
    assert high.confidence is not None
    assert 0 < low.confidence < high.confidence < 1
    assert (low.estimator, low.answer, low.cost.calls) == ("theirs", replies[0].answer, 2)
    assert none.confidence is None


def test_a_look_that_tells_right_from_wrong_is_worth_something() -> None:
    rng = np.random.default_rng(1)
    n = 200
    right = rng.random(n) < 0.6
    truths = ["A"] * n
    letters = ["A" if good else "B" for good in right]

    def seen(sharp: float) -> list[Seen]:
        shares = np.where(rng.random(n) < sharp, 0.9, 0.3)
        other = [dict.fromkeys("AB", 0.5) | {("B" if letter == "A" else "A"): 0.1} for letter in letters]
        return [
            Seen(letter, 0.8, 0.7, {**rest, letter: float(share)})
            for letter, share, rest in zip(letters, shares, other, strict=True)
        ]

    looks = {name: seen(0.5) for name in LOOKS}
    telling = "options turned"
    looks[telling] = [
        Seen(each.letter, 0.8, 0.7, {"A": 0.9, "B": 0.1}) for each in looks[telling]
    ]  # for the truth, whatever was answered
    found = figures(looks, truths, resamples=20)
    worth = found[telling]["less two signals"]["auroc"]
    assert worth["value"] > 0.2
    assert worth["low"] > found["mirrored"]["less two signals"]["auroc"]["value"]


def test_a_second_model_that_knows_more_is_worth_more_as_signal_and_as_choice() -> None:
    rng = np.random.default_rng(1)
    truths = ["A" if right else "B" for right in rng.random(300) < 0.6]
    first = [Seen("A", 0.8, float(rng.random()), {"A": 0.6, "B": 0.4}) for _ in truths]
    says = [truth if right else "AB"[truth == "A"] for truth, right in zip(truths, rng.random(300) < 0.95, strict=True)]
    knows = [Seen(letter, 0.9, 0.9, {letter: 0.9, "AB"[letter == "A"]: 0.1}) for letter in says]
    found = second_figures(first, {"knows": knows, "same": first}, truths, resamples=50)
    assert found[ALONE]["accuracy"]["value"] == pytest.approx(truths.count("A") / 300)
    assert found["signal, knows"]["accuracy"] == found[ALONE]["accuracy"]
    right = np.mean([a == b for a, b in zip(says, truths, strict=True)])
    assert found["signal, knows"]["auroc"]["value"] > 0.9
    assert found["choice, knows"]["accuracy"]["value"] == pytest.approx(right)
    more = found["choice, knows"][f"less {ALONE}"]["accuracy"]["value"]
    assert more == pytest.approx(right - truths.count("A") / 300)
    # A model that says the same again adds nothing.
    assert found["signal, same"][f"less {ALONE}"]["auroc"]["value"] == 0.0


def test_a_line_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    file = tmp_path / "plain.jsonl"
    file.write_text('{"id": "q1"}\n{"id": "q2", "rep')
    assert written(file) == {"q1"}
    assert file.read_text() == '{"id": "q1"}\n'


def test_there_are_calibration_and_checked_questions_for_any_number_of_test_questions() -> None:
    assert {part: PARTS[part].count(5000) for part in PARTS} == {"calibration": 1000, "guard": 3000, "test": 5000}
    assert {part: PARTS[part].count(100) for part in PARTS} == {"calibration": 100, "guard": 200, "test": 100}


def test_nearness_stands_beside_the_signals_of_the_same_answers(tmp_path: Path) -> None:
    dataset = questions(tmp_path, "test", 50)
    answered = [
        Prediction(
            id=each.id, estimator="m", truth="A", answer="A", confidence=0.5, signals={"answer_probability": 0.4}
        )
        for each in dataset.questions
    ]
    typicality = shipped()
    found = with_signal("near", answered, dataset, typicality)
    assert [each.id for each in found] == [each.id for each in answered]
    assert all(each.estimator == "near" and each.signals["answer_probability"] == 0.4 for each in found)
    near = [each.signals[typicality.signal] for each in found]
    assert all(0 < each <= 1 for each in near)
    assert len(set(near)) > 1
