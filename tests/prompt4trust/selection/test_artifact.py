"""The file that selection rests on: what is in it, what it belongs to, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from prompt4trust.calibration import CalibratorArtifact, fit_artifact, hash_rows
from prompt4trust.selection import CalibratorReference, CheckedAnswer, GuardArtifact, fit_guard, level_of
from tests.support.calibration_keys import whole_key

PAIR = whole_key(downstream="model-1", policy="policy-1", estimator="cgp", answer_template="answer-compact@1")


def answers(n: int = 300, seed: int = 0) -> list[CheckedAnswer]:
    """Answers of which the confident ones are mostly right; every tenth reply holds no verdict."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(n):
        confidence = float(rng.choice([0.6, 0.8, 0.95]))
        right = bool(rng.random() < confidence)
        share = float(rng.uniform(0.3, 0.9))
        valid = index % 10 > 0
        made.append(
            CheckedAnswer(
                f"q{index}",
                confidence if valid else None,
                right and valid,
                "A" if right else "B",
                {"A": share, "B": 1 - share},
                {"family": ("side", "size")[index % 2]},
            )
        )
    return made


def fit(found: list[CheckedAnswer], **changes: Any) -> GuardArtifact:
    arguments: dict[str, Any] = {
        "name": "guard-cgp",
        "key": PAIR,
        "dataset": "calibration",
        "clock": lambda: datetime(2026, 1, 2, tzinfo=UTC),
        **changes,
    }
    return fit_guard(found, **arguments)


def calibrator(n: int = 100) -> CalibratorArtifact:
    stated = np.linspace(0.5, 0.99, n)
    return fit_artifact(
        stated,
        np.random.default_rng(0).random(n) < stated,
        name="platt-cgp",
        family="platt",
        key=PAIR,
        dataset="other",
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        resamples=10,
    )


def test_it_holds_what_was_checked_and_survives_the_disk(tmp_path: Path) -> None:
    found = answers()
    guard = fit(found, group="family")
    assert (guard.rows, guard.set_aside, guard.scale, guard.calibrator) == (300, 0, "stated", None)
    assert 255 < len(guard.risk.scores) < 285  # nine tenths of the replies hold a verdict
    assert guard.risk.start == [75]
    assert guard.risk.scores == sorted(guard.risk.scores, reverse=True)
    assert {level_of(score) for score in guard.risk.scores} == {0.6, 0.8, 0.95}
    assert guard.options is not None
    assert {value: len(scores) for value, scores in guard.options.scores.items()} == {"side": 150, "size": 150}
    valid = [answer for answer in found if answer.confidence is not None]
    stated, right, ids = zip(*((answer.confidence, answer.correct, answer.id) for answer in valid), strict=True)
    assert guard.data_hash == hash_rows(stated, right, list(ids))

    guard.save(tmp_path / "guard.json")
    assert GuardArtifact.load(tmp_path / "guard.json") == guard
    assert (tmp_path / "guard.json").stat().st_mode & 0o777 == 0o644
    assert len((tmp_path / "guard.json").read_text().splitlines()) < 60  # a list of numbers is one line
    assert [path.name for path in tmp_path.iterdir()] == ["guard.json"]


def test_the_thresholds_are_those_of_the_checked_answers() -> None:
    guard = fit(answers(2000), ties="together")
    limit = guard.risk_rule(0.05).at(0.1)
    assert limit is not None
    assert (limit.confidence, limit.share_at_limit) == (0.95, 1.0)
    taken = [wrong for score, wrong in zip(guard.risk.scores, guard.risk.wrong, strict=True) if score >= limit.score]
    assert (limit.accepted, limit.errors) == (len(taken), sum(taken))
    assert guard.score(0.95, ["anything"]) >= limit.score > guard.score(0.9499, ["anything"])
    split = fit(answers(2000))
    assert split.score(0.8, ["one"]) != split.score(0.8, ["another"])
    assert split.score(0.8, ["one"]) == split.score(0.8, ["one"])
    assert (split.place(["one"]) is None, guard.place(["one"]) is None) == (False, True)


def test_neither_the_order_of_rows_nor_what_is_tested_moves_the_start() -> None:
    found = answers(1000)
    assert fit(found[::-1]) == fit(found)
    wrong = [replace(answer, correct=False) for answer in found]
    assert fit(wrong).risk.start == fit(found).risk.start == [75, 225]
    starts = set()
    for seed in range(5):
        guard = fit(found, seed=seed, ties="together")
        assert (guard.rows, guard.set_aside) == (900, 100)
        # Whatever becomes of the tested rows, the start stays: it was placed by the others.
        ordered = sorted(found, key=lambda answer: answer.id)
        aside = {ordered[place].id for place in np.random.default_rng(seed).permutation(1000)[:100]}
        spoilt = fit(
            [answer if answer.id in aside else replace(answer, correct=False) for answer in found],
            seed=seed,
            ties="together",
        )
        assert spoilt.risk.start == guard.risk.start
        assert sum(spoilt.risk.wrong) == len(spoilt.risk.wrong)
        assert isinstance(guard.risk.start, float)
        starts.add(guard.risk.start)
    assert starts <= {6000.0, 8000.0, 9500.0}


def test_starts_by_number_are_of_format_3_and_of_ties_told_apart() -> None:
    guard = fit(answers()).model_dump(mode="json")
    risk = guard["risk"]
    others: list[dict[str, Any]] = [{"format": 2}, {"ties": "together"}]
    for change in [*others, *({"risk": {**risk, "start": start}} for start in ([225, 75], [], [0, 75]))]:
        changed = {**guard, **change}
        with pytest.raises(ValueError, match=r"tests begin|start"):
            GuardArtifact.model_validate(changed)
    one_start = GuardArtifact.model_validate({**guard, "format": 2, "risk": {**guard["risk"], "start": 9500.0}})
    assert one_start.risk_rule(0.05).at(0.5) is not None


def test_without_probabilities_of_the_options_there_are_no_sets() -> None:
    guard = fit([replace(answer, options={}) for answer in answers()], group="family")
    assert guard.options is None
    assert guard.option_sets() is None


def test_a_small_group_is_warned_of() -> None:
    found = [
        replace(answer, groups={"family": "rare"}) if index < 9 else answer for index, answer in enumerate(answers())
    ]
    [warning] = fit(found, group="family").warnings
    assert "'rare' has 9 rows only" in warning


def test_it_belongs_to_one_pair_and_one_calibrator() -> None:
    fitted = calibrator()
    guard = fit(answers(), calibrator=fitted)
    assert guard.scale == "calibrated"
    assert guard.calibrator == CalibratorReference.of(fitted)
    refitted = calibrator(101)
    assert refitted.name == fitted.name
    assert CalibratorReference.of(refitted) != guard.calibrator
    # When it was fitted and how well it did are not what it does.
    assert CalibratorReference.of(fitted.model_copy(update={"seed": 9, "dataset": "x"})) == guard.calibrator
    assert guard.applies_to(PAIR)
    assert not guard.applies_to(PAIR.model_copy(update={"policy": None}))


@pytest.mark.parametrize(
    ("found", "changes", "said"),
    [
        (answers(99), {}, "at least 100 checked answers, not 99"),
        ([replace(answer, confidence=None) for answer in answers()], {}, "too few replies hold a verdict"),
        ([*answers(), answers()[0]], {}, "must be unique"),
        (answers(), {"group": "organ"}, "has no 'organ'; the questions have family"),
    ],
)
def test_what_cannot_be_promised_from_is_refused(
    found: list[CheckedAnswer], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        fit(found, **changes)


@pytest.mark.parametrize(
    "change",
    [
        {"risk": {"start": 1, "scores": [2, 1], "wrong": [0]}},
        {"risk": {"start": 1, "scores": [2], "wrong": [2]}},
        {"risk": {"start": 1, "scores": [20_000], "wrong": [1]}},
        {"options": {"group": None, "scores": {"": []}}},
        {"options": {"group": None, "scores": {"": [1.5]}}},
        {"rows": 3},
        {"scale": "calibrated"},
        {"name": "../elsewhere"},
        {"data_hash": "md5:1"},
        {"unknown": 1},
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    content = json.loads(fit(answers()).model_dump_json())
    (tmp_path / "guard.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(ValidationError):
        GuardArtifact.load(tmp_path / "guard.json")
