"""Corrections by group: beside a hand calculation, and on simulated answers whose groups differ or do not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm

from prompt4trust.calibration import CalibratorArtifact, GroupOffsets, Platt
from prompt4trust.evaluation import Prediction, cross_fit, fit_calibrator
from prompt4trust.metrics.tally import BoolArray, FloatArray
from tests.support.calibration_keys import whole_key

KEY = whole_key(downstream="mini-1", policy=None, estimator="verbalized", answer_template="answer@1")


class Older(CalibratorArtifact):
    newest_format = 3


def modality(values: list[str]) -> list[dict[str, str]]:
    return [{"modality": value} for value in values]


def test_a_groups_number_is_the_root_of_its_penalised_score() -> None:
    # 100 answers of CT at 0.8, 95 of them right; 60 of MR at 0.8, 30 of them right.
    says = np.full(160, 0.8)
    right = np.array([True] * 95 + [False] * 5 + [True] * 30 + [False] * 30)
    fitted = GroupOffsets.fit(says, right, modality(["CT"] * 100 + ["MR"] * 60), ["modality"])
    [stratum] = fitted.strata
    assert stratum.spread > 0
    for value, rights, n in (("CT", 95, 100), ("MR", 30, 60)):
        # Right answers less expected ones equal the pull of the prior: written down, and solved by bisection.
        by_hand = brentq(lambda b, k=rights, m=n: k - m * expit(logit(0.8) + b) - b / stratum.spread**2, -9, 9)
        assert stratum.groups[value].offset == pytest.approx(by_hand, abs=1e-5)
        assert stratum.groups[value].n == n
    free = logit(0.95) - logit(0.8)
    assert 0 < stratum.groups["CT"].offset < free
    assert fitted.apply([0.8, 0.6], modality(["ct", "CT "])).tolist() == pytest.approx(
        expit(logit([0.8, 0.6]) + stratum.groups["CT"].offset).tolist()
    )


def test_the_spread_is_where_the_outcomes_are_likeliest_by_numerical_integration() -> None:
    rights, sizes = {"a": 70, "b": 40, "c": 55, "d": 62}, 80
    says = np.full(4 * sizes, 0.7)
    right = np.concatenate([np.arange(sizes) < count for count in rights.values()])
    fitted = GroupOffsets.fit(says, right, modality([name for name in rights for _ in range(sizes)]), ["modality"])

    def likelihood(spread: float) -> float:
        def of(count: int) -> float:
            def joint(b: float) -> float:
                p = expit(logit(0.7) + b)
                return float(p**count * (1 - p) ** (sizes - count) * norm.pdf(b, scale=spread) * 1e20)

            return float(quad(joint, -6, 6, points=[0], limit=200)[0])

        return float(np.log([of(count) for count in rights.values()]).sum())

    grid = np.geomspace(0.05, 2.0, 16)
    exact = grid[int(np.argmax([likelihood(each) for each in grid]))]
    assert abs(np.log(fitted.strata[0].spread / exact)) < np.log(grid[1] / grid[0]) * 1.01  # one step of the grid


def simulated(
    random: np.random.Generator, n: int, offsets: dict[str, float]
) -> tuple[FloatArray, BoolArray, list[str]]:
    names = random.choice(list(offsets), n, p=[0.5, 0.3, 0.15, 0.05]).tolist()
    stated = random.integers(55, 100, n) / 100
    truth = expit(0.7 * logit(stated) - 0.4 + np.array([offsets[name] for name in names]))
    return stated, random.random(n) < truth, names


def held_out_gains(offsets: dict[str, float], n: int, draws: int) -> list[float]:
    """Log loss of the population's corrections less that of the groups', on answers that neither has seen."""
    gains = []
    for seed in range(draws):
        random = np.random.default_rng(seed)
        stated, right, names = simulated(random, n, offsets)
        alike = cross_fit("platt", stated, right)
        fitted = GroupOffsets.fit(alike, right, modality(names), ["modality"])
        others, truths, of = simulated(random, 4000, offsets)
        population = Platt.fit(stated, right).apply(others)
        by_group = fitted.apply(population, modality(of))
        losses = [-np.where(truths, np.log(each), np.log1p(-each)).mean() for each in (population, by_group)]
        gains.append(float(losses[0] - losses[1]))
    return gains


def test_where_groups_do_not_differ_the_populations_corrections_stay() -> None:
    gains = held_out_gains(dict.fromkeys("abcd", 0.0), 400, 24)
    assert sum(gain == 0 for gain in gains) >= 21  # not one number is moved in most draws
    assert np.mean(gains) > -1e-3


def test_where_groups_differ_their_own_corrections_are_better() -> None:
    gains = held_out_gains({"a": 0.5, "b": -0.8, "c": -0.2, "d": 0.9}, 600, 8)
    assert min(gains) > 0
    assert np.mean(gains) > 0.01


def test_a_small_group_stays_nearer_to_the_population_than_a_large_one_with_the_same_share() -> None:
    says = np.full(460, 0.8)
    right = np.concatenate([np.arange(400) < 240, np.arange(50) < 48, np.arange(10) < 6])
    fitted = GroupOffsets.fit(says, right, modality(["large"] * 400 + ["other"] * 50 + ["small"] * 10), ["modality"])
    groups = fitted.strata[0].groups
    assert groups["large"].offset < groups["small"].offset < 0


def test_answers_about_one_picture_that_are_alike_count_for_less() -> None:
    says = np.full(160, 0.8)
    right = np.repeat([*([True] * 19 + [False]), *([True] * 12 + [False] * 8)], 4)  # four questions a picture, alike
    groups = modality(["CT"] * 80 + ["MR"] * 80)
    pictures = [f"picture {place // 4}" for place in range(160)]
    alone = GroupOffsets.fit(says, right, groups, ["modality"]).strata[0]
    together = GroupOffsets.fit(says, right, groups, ["modality"], clusters=pictures).strata[0]
    assert alone.spread > 0
    if together.spread > 0:
        assert abs(together.groups["CT"].offset) < abs(alone.groups["CT"].offset)
    # 160 that count a quarter tell what the 40 pictures tell.
    once = GroupOffsets.fit(says[::4], right[::4], groups[::4], ["modality"]).strata[0]
    assert together.spread == pytest.approx(once.spread, rel=0.4)
    assert (
        GroupOffsets.fit(says, right, groups, ["modality"], clusters=[str(place) for place in range(160)]).strata[0]
        == alone
    )


def test_strata_share_what_both_explain_and_add_up() -> None:
    random = np.random.default_rng(3)
    names, sexes = random.choice(["CT", "MR"], 3000), random.choice(["F", "M"], 3000)
    truth = expit(logit(0.7) + np.where(names == "CT", 0.8, -0.8))
    groups = [{"modality": str(name), "sex": str(sex)} for name, sex in zip(names, sexes, strict=True)]
    fitted = GroupOffsets.fit(np.full(3000, 0.7), random.random(3000) < truth, groups, ["modality", "sex"])
    by_modality, by_sex = fitted.strata
    assert by_modality.spread > 0
    assert by_sex.spread == 0  # it explains nothing beside modality
    assert fitted.offset({"modality": "CT", "sex": "F"}) == by_modality.groups["CT"].offset
    assert fitted.warnings() == ["the answers show no difference by sex: its groups have the population's correction"]
    for sex in ("X", "F"):  # a correction by sex was not applied: it is none
        assert fitted.known({"Modality": "ct", "sex": sex}) == {"modality": "CT"}


def test_unknown_groups_have_the_populations_confidence_to_the_last_digit() -> None:
    says = np.full(200, 0.8)
    right = np.concatenate([np.arange(100) < 95, np.arange(100) < 50])
    fitted = GroupOffsets.fit(says, right, modality(["CT"] * 100 + ["MR"] * 100), ["modality"])
    stated = [0.0, 1 / 3, 0.999999999, 1.0]
    assert fitted.apply(stated, [{}, {"modality": "US"}, {"sex": "F"}, {"modality": ""}]).tolist() == stated


@pytest.mark.parametrize(
    ("groups", "strata", "message"),
    [
        (modality(["CT"] * 40), [], "1 to 4 strata"),
        (modality(["CT"] * 40), ["modality", "Modality"], "names that differ"),
        (modality(["CT"] * 40), ["sex"], "no answer names its sex"),
        (modality(["CT"] * 39), ["modality"], "for each of 40"),
        (modality([str(place) for place in range(65)]), ["modality"], "65 values are too many"),
    ],
)
def test_bad_input_is_refused_with_its_reason(groups: list[dict[str, str]], strata: list[str], message: str) -> None:
    n = max(40, len(groups)) if len(groups) != 39 else 40
    with pytest.raises(ValueError, match=message):
        GroupOffsets.fit(np.full(n, 0.7), np.arange(n) % 3 > 0, groups, strata)


def predictions(n: int = 400) -> list[Prediction]:
    random = np.random.default_rng(8)
    rows = []
    for place in range(n):
        name, said = ("CT", "MR")[place % 2], float(random.integers(60, 100)) / 100
        right = random.random() < expit(logit(said) + (0.4 if name == "CT" else -1.6))
        rows.append(
            Prediction(
                id=f"q{place}",
                estimator="verbalized",
                truth="A",
                answer="A" if right else "B",
                confidence=said,
                groups={"modality": name},
            )
        )
    return rows


def test_a_file_keeps_them_and_tells_each_groups_error_before_and_after() -> None:
    def fitted(strata: tuple[str, ...]) -> CalibratorArtifact:
        return fit_calibrator(
            predictions(),
            name="platt-verbalized",
            family="platt",
            key=KEY,
            dataset="held-out",
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            strata=strata,
            resamples=40,
        )

    artifact, alike = fitted(("modality",)), fitted(())
    again = CalibratorArtifact.model_validate_json(artifact.model_dump_json())
    assert again == artifact
    assert alike.by_group is None
    assert alike.groups == {}
    errors = artifact.groups["modality"]
    assert {value: each.n for value, each in errors.items()} == {"CT": 200, "MR": 200}
    assert (errors["MR"].after["value"] or 1) < (errors["MR"].before["value"] or 0) / 2
    at = [0.8, 0.8, 0.8]
    ct, mr, unknown = artifact.correct(at, groups=[*modality(["CT", "MR", "US"])]).tolist()
    assert mr < unknown < ct
    assert unknown == alike.correct([0.8])[0]
    assert artifact.correct(at).tolist() == alike.correct(at).tolist()
    with pytest.raises(ValidationError, match="format 4"):
        Older.model_validate(artifact.model_dump())
