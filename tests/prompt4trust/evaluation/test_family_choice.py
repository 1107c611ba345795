"""The choice among families: on answers that the fits did not see, by a proper score, the simpler where they tie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import ttest_rel

from prompt4trust.calibration import FAMILIES, Candidate, Platt, ReplacedRows, get_family
from prompt4trust.evaluation import CannotChooseError, Prediction, choose_family, cross_fit, fit_calibrator
from prompt4trust.evaluation.family_choice import TIE, best
from prompt4trust.evaluation.prediction_arrays import fitting_hash, signal_columns
from prompt4trust.metrics import expected_calibration_error, negative_log_likelihood
from tests.support.calibration_keys import whole_key

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def rows(n: int, curve: Curve, seed: int = 0, low: int = 55, *, agreement: bool = False) -> list[Prediction]:
    """Answers stated at whole per cents from `low` to 99, right as often as the curve says."""
    random = np.random.default_rng(seed)
    stated = random.integers(low, 100, n) / 100
    agreed = random.integers(0, 21, n) / 20
    right = random.random(n) < curve(stated) + (agreed - 0.5) * 0.5 * agreement
    return [
        Prediction(
            id=f"{seed}-{i}", estimator="cgp", truth="A", answer="A" if right[i] else "B", confidence=stated[i],
            signals={"agreement": agreed[i]} if agreement else {},
        )
        for i in range(n)
    ]  # fmt: skip


def platt_curve(stated: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(expit(0.5 * logit(stated) - 1))


SIGNALS = ("two-signal", "several-signal", "correctness", "boosted")


def arrays(predictions: list[Prediction]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    stated = np.array([row.confidence for row in predictions], dtype=np.float64)
    return stated, np.array([row.correct for row in predictions])


def test_a_candidates_score_is_that_of_a_fit_on_the_other_data() -> None:
    calibration, validation = rows(400, platt_curve), rows(300, platt_curve, seed=1)
    choice = choose_family(calibration, validation, dataset="validation", resamples=20)
    stated, right = arrays(validation)
    scored = {each.family: each.metrics for each in choice.candidates if each.refused is None}
    assert list(scored) == [name for name in FAMILIES if name not in SIGNALS]
    for family, metrics in scored.items():
        corrected = get_family(family).fit(*arrays(calibration)).apply(stated)
        assert metrics["nll"]["value"] == pytest.approx(negative_log_likelihood(corrected, right))
        assert metrics["ece"]["value"] == pytest.approx(expected_calibration_error(corrected, right))
    refused = [each for each in choice.candidates if each.refused is not None]
    assert tuple(each.family for each in refused) == SIGNALS
    assert all("needs" in str(each.refused) for each in refused)
    assert (choice.judged_on, choice.dataset, choice.n, choice.score) == ("validation", "validation", 300, "nll")


def test_without_validation_data_each_answer_is_scored_by_fits_without_it() -> None:
    calibration = rows(300, platt_curve)
    choice = choose_family(calibration, dataset="calibration", resamples=20, seed=3)
    assert (choice.judged_on, choice.n) == ("folds", 300)
    for each in choice.candidates:
        if each.refused is None:
            corrected = cross_fit(each.family, *arrays(calibration), seed=3)
            assert each.metrics["nll"]["value"] == negative_log_likelihood(corrected, arrays(calibration)[1])


@pytest.mark.parametrize(
    ("curve", "low", "expected"),
    [
        # Right already: what fits it exactly, with one or two numbers to spare at most.
        (lambda stated: stated, 20, {"identity", "temperature", "platt"}),
        (lambda stated: expit(logit(stated) / 3), 5, {"temperature"}),
        (platt_curve, 20, {"platt", "beta"}),
        # A bump that no straight line follows.
        (lambda stated: np.where(stated < 0.7, 0.2, 0.8), 50, {"isotonic", "venn-abers", "histogram"}),
    ],
)
def test_chooses_the_family_that_made_the_data(curve: Curve, low: int, expected: set[str]) -> None:
    choice = choose_family(
        rows(6000, curve, low=low), rows(6000, curve, seed=1, low=low), dataset="validation", resamples=5
    )
    assert choice.chosen in expected


def test_chooses_two_signals_where_the_second_says_more() -> None:
    calibration = rows(1500, lambda stated: stated - 0.3, agreement=True)
    choice = choose_family(calibration, dataset="calibration", resamples=5)
    assert choice.chosen in SIGNALS
    figures = {each.family: each.metrics for each in choice.candidates}
    one, two = figures["platt"]["auroc"]["value"], figures["two-signal"]["auroc"]["value"]
    assert one is not None
    assert two is not None
    assert two > one + 0.03


def candidate(family: str, score: float | None) -> Candidate:
    return Candidate(
        family=family,
        refused=None if score is not None else "no",
        metrics={"nll": {"value": score, "low": None, "high": None}} if score is not None else {},
    )


def test_the_simpler_is_taken_where_scores_tie() -> None:
    close = [candidate("identity", 0.7), candidate("platt", 0.5 + TIE / 2), candidate("isotonic", 0.5)]
    assert best(close) == "platt"
    apart = [candidate("platt", 0.5 + 2 * TIE), candidate("two-signal", None), candidate("isotonic", 0.5)]
    assert best(apart) == "isotonic"
    with pytest.raises(CannotChooseError, match="no calibrator could be fitted"):
        best([candidate("platt", None)])


def test_other_scores_and_fewer_families_can_be_asked_for() -> None:
    choice = choose_family(
        rows(300, platt_curve), dataset="calibration", families=["isotonic", "platt"], score="brier", resamples=5
    )
    assert [each.family for each in choice.candidates] == ["platt", "isotonic"]
    assert choice.score == "brier"
    with pytest.raises(ValueError, match="unknown calibrator family 'magic'"):
        choose_family(rows(100, platt_curve), dataset="calibration", families=["magic"])


ALL_RIGHT, ALL_WRONG = (lambda stated: np.ones_like(stated)), (lambda stated: np.zeros_like(stated))


@pytest.mark.parametrize(
    ("calibration", "validation", "message"),
    [
        (rows(49, platt_curve), None, "49 calibration answers .* are too few .* at least 50 are needed"),
        (rows(19, platt_curve), rows(60, platt_curve, 1), "19 calibration answers .* at least 20"),
        (rows(60, platt_curve), rows(49, platt_curve, 1), "49 validation answers"),
        ([], None, "0 calibration answers"),
        (rows(60, ALL_RIGHT), None, "of 60 calibration answers none are wrong; .* at least 5 of each"),
        (rows(60, ALL_WRONG), None, "of 60 calibration answers none are right"),
        (rows(60, platt_curve), rows(60, ALL_RIGHT, 1), "of 60 validation answers none are wrong"),
        ([*rows(60, ALL_RIGHT), *rows(1, ALL_WRONG, 1)], None, "of 61 calibration answers 1 is wrong"),
    ],
)
def test_refuses_in_clear_words(
    calibration: list[Prediction], validation: list[Prediction] | None, message: str
) -> None:
    with pytest.raises(CannotChooseError, match=message):
        choose_family(calibration, validation, dataset="d")


def test_folds_share_right_and_wrong_answers_evenly() -> None:
    # Two wrong answers among 100: chance would often put both in one fold, whose complement could not be fitted.
    stated = np.full(100, 0.9)
    right = np.arange(100) >= 2
    corrected = cross_fit("platt", stated, right, folds=5, seed=0)
    assert set(np.round(corrected, 6)) == {round(79 / 80, 6), round(78 / 80, 6)}
    with pytest.raises(ValueError, match="of these 100 one is wrong"):
        cross_fit("platt", stated, np.arange(100) >= 1)
    with pytest.raises(ValueError, match="of these 100 none are right"):
        cross_fit("platt", stated, np.zeros(100, dtype=bool))
    with pytest.raises(ValueError, match="in 5 parts needs at least 25 answers, not 24"):
        cross_fit("platt", stated[:24], right[:24])


def test_answers_about_one_picture_stay_in_one_fold() -> None:
    """Where a picture decides what is right, its other answers would tell: whole pictures are kept out instead."""
    picture = np.repeat(np.arange(40), 5)
    names = [f"picture {each}" for each in picture]
    right = picture % 4 > 0
    stated = 0.5 + picture / 100  # as good as the picture's name to a family that follows single values
    apart = cross_fit("histogram", stated, right, clusters=names, seed=1)
    assert all(len(np.unique(apart[picture == each])) == 1 for each in range(40))  # of one fold, and so of one fit
    alike = cross_fit("histogram", stated, right, seed=1)
    assert negative_log_likelihood(alike, right) < negative_log_likelihood(apart, right)
    singles = [f"row {place}" for place in range(200)]
    assert cross_fit("histogram", stated, right, clusters=singles, seed=1).tolist() == alike.tolist()
    with pytest.raises(ValueError, match="about one picture"):
        cross_fit("platt", stated, right, clusters=["one"] * 200)


def test_the_few_wrong_answers_are_spread_over_the_folds_with_their_pictures() -> None:
    names = [f"picture {place // 10}" for place in range(300)]
    right = ~np.isin(np.arange(300), (3, 14, 155))  # three wrong, in three pictures: by chance all may be in one fold
    for seed in range(30):
        corrected = cross_fit("platt", np.full(300, 0.9), right, clusters=names, folds=3, seed=seed)
        assert len(np.unique(corrected.round(9))) <= 3
        assert corrected.max() < 1


def test_families_are_judged_by_folds_of_whole_pictures() -> None:
    plain = rows(300, platt_curve)
    shared = [row.model_copy(update={"picture": f"{place // 6}"}) for place, row in enumerate(plain)]
    choice = choose_family(shared, dataset="d", families=["platt"], resamples=5, seed=3)
    names = [f"picture {place // 6}" for place in range(300)]
    corrected = cross_fit("platt", *arrays(plain), clusters=names, seed=3)
    assert choice.candidates[0].metrics["nll"]["value"] == negative_log_likelihood(corrected, arrays(plain)[1])
    assert not np.array_equal(corrected, cross_fit("platt", *arrays(plain), seed=3))


def test_the_artifact_keeps_the_choice_the_diagram_and_the_yardstick() -> None:
    calibration = rows(800, platt_curve)
    choice = choose_family(calibration, dataset="calibration", families=["identity", "platt"], resamples=5)
    pair = whole_key(downstream="m", policy="p", estimator="cgp", answer_template="t@1")
    artifact = fit_calibrator(
        calibration, name="x", family=choice.chosen, key=pair, dataset="calibration",
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC), choice=choice, resamples=100,
    )  # fmt: skip
    assert artifact.calibrator() == Platt.fit(*arrays(calibration))
    assert artifact.choice == choice
    corrected = cross_fit("platt", *arrays(calibration))
    assert sum(bar.n for bar in artifact.reliability_after) == 800
    assert artifact.metrics_after["ece"]["value"] == expected_calibration_error(corrected, arrays(calibration)[1])
    ideal = artifact.metrics_ideal["ece"]
    before, high = artifact.metrics_before["ece"]["value"], ideal["high"]
    assert before is not None
    assert high is not None
    assert high < 0.1 < before
    assert type(artifact).model_validate_json(artifact.model_dump_json()) == artifact


def test_answers_whose_right_option_was_replaced_count_in_fits_and_in_no_figure() -> None:
    asked = rows(300, platt_curve, agreement=True)
    # The same questions, their right option replaced: as sure, all wrong, and their samples agree less.
    random = np.random.default_rng(5)
    spoilt = [
        row.model_copy(update={"answer": "B", "signals": {"agreement": float(random.integers(0, 9)) / 20}})
        for row in asked[:100]
    ]
    how: dict[str, Any] = {
        **{
            "name": "c",
            "family": "two-signal",
            "dataset": "held-out",
            "clock": lambda: datetime(2026, 1, 2, tzinfo=UTC),
        },
        "key": whole_key(downstream="m", policy="p", estimator="cgp", answer_template="t@1"),
        "resamples": 20,
    }
    plain, aware = fit_calibrator(asked, **how), fit_calibrator(asked, right_removed=spoilt, **how)
    both = [*asked, *spoilt]
    signals = {"agreement": [row.signals["agreement"] for row in both]}
    expected = get_family("two-signal").fit(*arrays(both), signals)
    assert aware.parameters == expected.parameters()
    assert (plain.n, aware.n) == (300, 400)
    # Figures, and by what the data are known again, are those of the questions as they were asked.
    assert aware.metrics_before == plain.metrics_before
    assert aware.reliability_before == plain.reliability_before
    assert aware.data_hash == plain.data_hash == fitting_hash(asked)
    assert aware.replaced == ReplacedRows(n=100, data_hash=fitting_hash(spoilt), drawn_from=fitting_hash(spoilt))
    assert plain.replaced is None
    stated, right = arrays(both)
    corrected = cross_fit("two-signal", stated, right, signals=signals, clusters=[row.id for row in both])[:300]
    found = expected_calibration_error(corrected, right[:300])
    assert aware.metrics_after["ece"]["value"] == pytest.approx(found)
    assert aware.warnings[-1].startswith(
        "100 of the 400 answers fitted on are to questions whose right option was replaced"
    )
    low = {"agreement": [0.1]}
    assert aware.calibrator().apply([0.95], low)[0] < plain.calibrator().apply([0.95], low)[0]


def test_a_group_that_no_question_as_asked_has_is_in_no_figure() -> None:
    asked = [
        row.model_copy(update={"groups": {"modality": ("CT", "MR")[place % 2]}})
        for place, row in enumerate(rows(200, platt_curve))
    ]
    unread = Prediction(id="u", estimator="cgp", truth="A", invalid="no_answer", groups={"modality": "US"})
    spoilt = [asked[0], unread.model_copy(update={"invalid": None, "answer": "B", "confidence": 0.9})]
    made = fit_calibrator(
        [*asked, unread],
        right_removed=spoilt,
        strata=["modality"],
        name="c",
        family="platt",
        dataset="held-out",
        resamples=20,
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        key=whole_key(downstream="m", policy="p", estimator="cgp", answer_template="t@1"),
    )
    assert {name: each.n for name, each in made.groups["modality"].items()} == {"CT": 100, "MR": 100}
    assert made.by_group is not None
    assert made.by_group.strata[0].groups["US"].n == 1


def worded(n: int, effect: float, seed: int = 0) -> list[Prediction]:
    """Answers of which one word says `effect` on the logit, and their confidence and agreement nothing."""
    random = np.random.default_rng(seed)
    has = random.random(n) < 0.5
    right = random.random(n) < expit(effect * (has - 0.5))
    return [
        Prediction(
            id=f"{seed}-{i}", estimator="cgp", truth="A", answer="A" if right[i] else "B",
            confidence=random.integers(55, 100) / 100,
            signals={"agreement": random.integers(0, 21) / 20, "words_described": 1.0, "asks:3": float(has[i])},
        )
        for i in range(n)
    ]  # fmt: skip


def test_words_are_taken_only_where_they_help_by_more_than_chance() -> None:
    families = ("platt", "several-signal", "correctness")
    plain = choose_family(worded(300, 2.0), dataset="held-out", families=families, resamples=10)
    assert plain.chosen == "correctness"
    doubtful = choose_family(
        worded(300, 2.0), worded(50, 0.5, seed=2), dataset="other", families=families, resamples=10
    )
    assert doubtful.chosen != "correctness"
    refused = doubtful.candidates[-1]
    assert refused.refused is not None
    assert refused.refused.startswith("not shown to be better: its log loss is ")
    losses = {each.family: each.metrics["nll"] for each in doubtful.candidates}
    assert set(losses) == set(families)  # by how much it is refused can be seen
    alone = choose_family(worded(300, 2.0), dataset="held-out", families=["correctness"], resamples=10)
    assert alone.chosen == "correctness"
    by_brier = choose_family(worded(300, 2.0), dataset="held-out", families=families, score="brier", resamples=10)
    assert by_brier.chosen == "correctness"


def test_the_doubt_is_students_of_the_paired_losses() -> None:
    calibration, validation = worded(300, 2.0), worded(120, 0.6, seed=4)
    choice = choose_family(
        calibration, validation, dataset="other", families=("several-signal", "correctness"), resamples=10
    )
    fits = [
        get_family(name)
        .fit(*arrays(calibration), signal_columns(calibration))
        .apply(arrays(validation)[0], signal_columns(validation))
        for name in ("correctness", "several-signal")
    ]
    right = arrays(validation)[1]
    own, other = (-np.log(np.where(right, each, 1 - each)) for each in fits)
    low, high = ttest_rel(own, other).confidence_interval(0.9)
    refused = choice.candidates[-1].refused
    assert (refused is None) == (high < 0)
    if refused is not None:
        assert refused.endswith(
            f"is {(own - other).mean():+.4f} from that of several-signal (95 %: at most {high:+.4f})"
        )
    assert low < (own - other).mean() < high
