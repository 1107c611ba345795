"""Option sets against the textbook's quantile, and their coverage on data whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from prompt4trust.selection import OptionSets, nonconformity

LETTERS = "ABCD"
Array = npt.NDArray[np.float64]


def test_without_ties_the_set_is_that_of_the_quantile() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 4, 9, 10, 19, 57, 199):
        scores = sorted(nonconformity(value) for value in rng.random(n))
        sets = OptionSets({"": scores})
        for coverage in (0.05, 0.5, 0.8, 0.9, 0.95, 0.995):
            rank = math.ceil(round((n + 1) * coverage, 6))
            probabilities = dict(zip(LETTERS, rng.dirichlet(np.ones(4)), strict=True))
            expected = tuple(
                letter
                for letter, value in probabilities.items()
                if rank > n or nonconformity(value) <= scores[rank - 1]
            )
            found = sets.choose(probabilities, coverage)
            assert found.letters == (expected or (max(probabilities, key=lambda letter: probabilities[letter]),))
            assert (found.n, found.group) == (n, None)


def test_a_score_that_was_seen_counts_for_the_option_or_by_its_place() -> None:
    sets = OptionSets({"": [0.5] * 19})
    certain = {"A": 0.5, "B": 0.4999}
    assert sets.choose(certain, 0.9).letters == ("A",)
    # The smoothed p-value of A is its place: 20 of 20 ties, counted by weight.
    assert sets.choose({**certain, "C": 0.7}, 0.9, place=0.11).letters == ("A", "C")
    assert sets.choose({**certain, "C": 0.7}, 0.9, place=0.09).letters == ("C",)
    # An empty set would help nobody.
    assert sets.choose(certain, 0.9, place=0.0).letters == ("A",)


probabilities = st.lists(st.integers(0, 20), min_size=2, max_size=6).map(
    lambda weights: {chr(65 + place): weight / 20 for place, weight in enumerate(weights)}
)


@given(
    st.lists(st.integers(0, 20).map(lambda part: part / 20), min_size=1, max_size=60),
    probabilities,
    st.floats(0.01, 0.99),
    st.floats(0.01, 0.99),
    st.none() | st.floats(0, 1, exclude_max=True),
)
def test_sets_grow_with_coverage(
    scores: list[float], found: dict[str, float], one: float, other: float, place: float | None
) -> None:
    sets = OptionSets({"": scores})
    small, large = (sets.choose(found, coverage, place=place).letters for coverage in sorted((one, other)))
    assert set(small) <= set(large)
    assert small
    assert list(large) == [letter for letter in found if letter in large]
    # Whatever is in the set, everything more probable is.
    assert min(found[letter] for letter in large) >= max(
        (value for letter, value in found.items() if letter not in large), default=0
    )


def draw(rng: np.random.Generator, n: int, sharpness: float, samples: int | None) -> tuple[Array, npt.NDArray[np.int_]]:
    """Draw what a model would say, overconfident, and the truth; with `samples`, shares of so many replies."""
    real = rng.dirichlet(np.full(4, 0.6), n)
    truth = (real.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    stated = real**sharpness
    stated /= stated.sum(axis=1, keepdims=True)
    if samples is not None:
        stated = rng.multinomial(samples, stated) / samples
    return stated, truth


def cover(sets: OptionSets, stated: Array, truth: npt.NDArray[np.int_], coverage: float, group: str | None = None,
          places: Array | None = None) -> int:  # fmt: skip
    return sum(
        LETTERS[right]
        in sets.choose(
            dict(zip(LETTERS, row, strict=True)), coverage, group=group, place=None if places is None else places[index]
        ).letters
        for index, (row, right) in enumerate(zip(stated.tolist(), truth.tolist(), strict=True))
    )


@pytest.mark.parametrize("samples", [None, 21])
def test_coverage_is_what_was_asked_for_over_many_calibration_sets(samples: int | None) -> None:
    # One new question a calibration set, so that the draws are independent: binomial with exactly the coverage.
    rng = np.random.default_rng(5)
    draws, coverage = 3000, 0.8
    exact = conservative = 0
    for _ in range(draws):
        stated, truth = draw(rng, 40, 3.0, samples)
        sets = OptionSets({"": [nonconformity(row[right]) for row, right in zip(stated, truth, strict=True)][1:]})
        exact += cover(sets, stated[:1], truth[:1], coverage, places=rng.random(1))
        conservative += cover(sets, stated[:1], truth[:1], coverage)
    low, high = binom.ppf([0.0005, 0.9995], draws, coverage)
    assert low <= exact <= high
    if samples is None:
        assert low <= conservative <= high
    else:
        assert conservative >= exact


def test_groups_are_each_covered_and_a_stranger_on_average() -> None:
    rng = np.random.default_rng(6)
    n, coverage = 4000, 0.9
    sharpness = {"easy": 1.0, "hard": 6.0}
    made = {group: draw(rng, n, power, None) for group, power in sharpness.items()}
    scores = {
        group: [nonconformity(row[right]) for row, right in zip(*rows, strict=True)] for group, rows in made.items()
    }
    sets = OptionSets({**scores, "rare": [0.1, 0.2]})
    assert sets.groups == ["easy", "hard", "rare"]
    marginal = {}
    for group, power in sharpness.items():
        stated, truth = draw(rng, n, power, None)
        # Two draws of n rows, one to fit and one to look: the standard error of their difference is 0.0067.
        assert cover(sets, stated, truth, coverage, group) / n == pytest.approx(coverage, abs=0.022)
        marginal[group] = cover(sets, stated, truth, coverage, "never seen") / n
    assert marginal["easy"] > coverage + 0.03 > coverage - 0.03 > marginal["hard"]
    assert np.mean(list(marginal.values())) == pytest.approx(coverage, abs=0.015)
    row = {"A": 0.97, "B": 0.01, "C": 0.01, "D": 0.01}
    assert sets.choose(row, coverage, group="rare").letters == tuple(LETTERS)
    assert sets.choose(row, coverage, group="rare").n == 2
    assert sets.choose(row, coverage, group="never seen").group is None


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one calibration row"):
        OptionSets({"": []})
    sets = OptionSets({"": [0.5]})
    for coverage in (0, 1, -1, float("nan")):
        with pytest.raises(ValueError, match="coverage"):
            sets.choose({"A": 1.0}, coverage)
    with pytest.raises(ValueError, match="no probabilities"):
        sets.choose({}, 0.5)
