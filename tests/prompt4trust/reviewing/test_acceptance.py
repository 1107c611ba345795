"""The comparison of calibrators: its loss against the truth's, its level, and fits that do not see what they judge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import ttest_1samp
from sklearn.metrics import log_loss

from benchmarks.reviews.simulation import looked_at
from prompt4trust.metrics.tally import BoolArray
from prompt4trust.reviewing import FlipRates, box, compare, held_out


def test_without_flips_it_is_the_difference_of_log_losses() -> None:
    random = np.random.default_rng(0)
    new, old = random.uniform(0.05, 0.95, (2, 300))
    right = random.random(300) < 0.6
    found = compare(new, old, right, ~right, [FlipRates()])
    assert found.difference == pytest.approx(log_loss(right, new) - log_loss(right, old))


def test_the_corrected_loss_is_that_on_the_truth() -> None:
    random = np.random.default_rng(1)
    new, old = random.uniform(0.05, 0.95, (2, 200_000))
    truth = random.random(200_000) < 0.6
    rates = FlipRates(0.2, 0.1)
    found = compare(new, old, *looked_at(truth, rates, 0.3, random), [rates])
    assert found.difference == pytest.approx(log_loss(truth, new) - log_loss(truth, old), abs=0.02)


def test_what_is_equally_good_passes_about_as_often_as_the_level_says() -> None:
    passed = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        right = random.random(200) < 0.5
        passed += compare([0.6] * 200, [0.4] * 200, right, ~right, [FlipRates()]).passes
    assert 0.02 <= passed / 400 <= 0.09


def test_ten_questions_about_each_picture_do_not_pass_more_often_than_the_level_says() -> None:
    passed = {"as they are": 0, "taken to be independent": 0}
    pictures = [str(place) for place in np.repeat(np.arange(40), 10)]
    for seed in range(400):
        random = np.random.default_rng(seed)
        # A picture's questions are easy or hard together; 70 % are right in the mean, where both are equally good.
        right = (random.random((40, 10)) < random.beta(1.4, 0.6, (40, 1))).ravel()
        rows = [0.8] * 400, [0.585] * 400, right, ~right, [FlipRates()]
        passed["as they are"] += compare(*rows, clusters=pictures).passes
        passed["taken to be independent"] += compare(*rows).passes
    assert 0.02 <= passed["as they are"] / 400 <= 0.09
    assert passed["taken to be independent"] / 400 > 0.12


def test_with_as_many_answers_about_each_picture_the_bound_is_that_of_their_means() -> None:
    random = np.random.default_rng(2)
    new, old = random.uniform(0.05, 0.95, (2, 600))
    right = np.repeat(random.random(60) < 0.6, 10)
    found = compare(new, old, right, ~right, [FlipRates()], clusters=[str(row // 10) for row in range(600)])
    losses = [-np.log(np.where(right, each, 1 - each)) for each in (new, old)]
    means = (losses[0] - losses[1]).reshape(60, 10).mean(axis=1)
    expected = ttest_1samp(means, 0, alternative="less").confidence_interval(0.95).high
    assert (found.n, found.clusters) == (600, 60)
    assert found.bound - found.difference == pytest.approx(expected - means.mean(), rel=0.01)


def test_answers_that_stand_alone_are_compared_as_without_clusters() -> None:
    random = np.random.default_rng(3)
    new, old = random.uniform(0.05, 0.95, (2, 100))
    right = random.random(100) < 0.6
    rows = new, old, right, ~right, [FlipRates()]
    assert compare(*rows, clusters=list(map(str, range(100)))) == compare(*rows)


def test_the_worst_pair_is_told() -> None:
    right = np.array([1] * 120 + [0] * 80)
    found = compare([0.6] * 200, [0.9] * 200, right, 1 - right, box(0.2, 0.2))
    assert found.rates == FlipRates(0.2, 0.0)
    assert found.bound >= compare([0.6] * 200, [0.9] * 200, right, 1 - right, [FlipRates(0.1, 0.1)]).bound


def test_a_fit_sees_nothing_of_the_answers_that_it_corrects() -> None:
    stated = np.linspace(0.01, 0.99, 100)
    seen: list[set[int]] = []

    def label(places: npt.NDArray[np.intp]) -> BoolArray:
        seen.append(set(places.tolist()))
        return np.arange(len(places)) % 3 > 0

    assert np.ptp(held_out("platt", stated, label)) > 0
    assert sorted(place for each in seen for place in set(range(100)) - each) == list(range(100))


def test_a_fit_sees_no_answer_about_the_pictures_whose_answers_it_corrects() -> None:
    stated, pictures = np.linspace(0.01, 0.99, 100), [str(place % 7) for place in range(100)]
    seen: list[set[str]] = []

    def label(places: npt.NDArray[np.intp]) -> BoolArray:
        seen.append({pictures[place] for place in places})
        return np.arange(len(places)) % 3 > 0

    held_out("platt", stated, label, clusters=pictures)
    assert sorted(picture for each in seen for picture in set(pictures) - each) == sorted(set(pictures))
    with pytest.raises(ValueError, match="a single picture"):
        held_out("platt", stated, label, clusters=["a"] * 100)
    with pytest.raises(ValueError, match="a single picture"):
        compare([0.5] * 3, [0.6] * 3, [1] * 3, [0] * 3, [FlipRates()], clusters=["a"] * 3)


def test_groups_are_corrected_apart_by_answers_that_are_not_corrected() -> None:
    random = np.random.default_rng(4)
    groups = [{"modality": ("CT", "MR")[place % 2]} for place in range(400)]
    shares = np.where(np.arange(400) % 2 == 0, 0.9, 0.5)
    stated, right = random.uniform(0.5, 0.95, 400), random.random(400) < shares
    seen: list[set[int]] = []

    def label(places: npt.NDArray[np.intp]) -> BoolArray:
        seen.append(set(places.tolist()))
        return right[places]

    found = held_out("platt", stated, label, groups=groups, strata=["modality"])
    assert sorted(place for each in seen for place in set(range(400)) - each) == list(range(400))
    for share in (0.9, 0.5):
        assert found[shares == share].mean() == pytest.approx(share, abs=0.06)
    with pytest.raises(ValueError, match="groups for each of 400 answers, not 1"):
        held_out("platt", stated, label, groups=groups[:1], strata=["modality"])


@pytest.mark.parametrize(
    ("new", "right", "reason"),
    [([0.5], [1], "at least 2"), ([0.5, 1.5], [1, 0], "probability"), ([0.5, 0.5], [0, 0], "a look")],
)
def test_what_cannot_be_compared(new: list[float], right: list[int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compare(
            new, [0.5] * len(new), right, [0] * len(right) if reason == "a look" else [1] * len(right), [FlipRates()]
        )


def test_under_no_rates_nothing_is_compared() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        compare([0.5, 0.5], [0.5, 0.5], [1, 0], [0, 1], [])
