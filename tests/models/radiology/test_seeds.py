"""Figures of several trainings: each by its own evidence, all together by picture, controls told apart."""

from __future__ import annotations

import random

import pytest
import torch

from models.radiology.bench import Bench, Exam
from models.radiology.data.questions import Asked
from models.radiology.guided import PARTS, plain_rows
from models.radiology.seeds import BLANK, METHOD, OTHER, Sitting, _answered, seed_figures, together
from models.radiology.stages import LAST, STAGES
from models.radiology.workshop import Workshop
from models.staged_runs import run_stages
from prompt4trust.evaluation import Prediction
from tests.models.radiology.test_guided import asked, reply

SIZES = dict(zip(PARTS, (200, 120, 200, 80), strict=True))


def rows(name: str, n: int, chance: float, seed: int) -> list[Prediction]:
    rng = random.Random(f"{name} {seed}")
    made = [asked(f"{name}{place}", f"{name}{place // 4}", gold=int(rng.random() > chance)) for place in range(n)]
    exam = Exam(made, [0] * n, torch.zeros(1, 1, 1))
    return plain_rows(exam, [reply("A", 95)] * n)


def sitting(seed: int, chance: float, on_blank: float) -> Sitting:
    parts = {name: rows(name, n, chance, seed) for name, n in SIZES.items()}
    return Sitting.of(parts, {BLANK: rows("test", 80, on_blank, seed + 100), OTHER: rows("test", 40, chance, seed)})


def test_trainings_are_told_each_and_together() -> None:
    both = [sitting(1, 0.9, 0.5), sitting(2, 0.6, 0.5)]
    first, second = map(seed_figures, both)
    assert first["method"] == METHOD
    assert first["kinds"]["all"]["n"] == second["kinds"]["all"]["n"] == 80
    # Each one's calibrator is its own: what is stated follows the training's own share of right answers.
    assert (
        first["kinds"]["all"]["mean_confidence"]["value"]
        > 0.8
        > 0.7
        > second["kinds"]["all"]["mean_confidence"]["value"]
    )
    told = together(both)
    assert (told["all"]["n"], told["all"]["trainings"]) == (80, 2)
    assert told["asked"] == told["all"]
    assert "generated" not in told  # none of these are
    shares = [each["kinds"]["all"]["accuracy"]["value"] for each in (first, second)]
    assert told["all"]["accuracy"]["value"] == pytest.approx(sum(shares) / 2, abs=1e-4)
    changes = [each[BLANK]["accuracy_change"]["value"] for each in (first, second)]
    assert told[BLANK]["accuracy_change"]["value"] == pytest.approx(sum(changes) / 2, abs=1e-4)
    # The other picture's answers are the same ones here.
    assert told[OTHER]["accuracy_change"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_control_is_asked_for_itself_and_keeps_the_questions_names(shop: Workshop) -> None:
    run_stages(shop, STAGES, ["features", "answers", "confidence", LAST])
    model = shop.model(LAST)
    bench = Bench(model, shop.encoder(model), shop.parts, log=lambda line: None)
    questions: list[Asked] = shop.questions("test")[:3]
    plain, blank = _answered(bench, questions, shop.data), _answered(bench, questions, shop.data, BLANK)
    assert [row.id for row in blank] == [row.id for row in plain]
    assert len(bench.book) == 6
    seen, grey = bench.exam(questions, shop.data), bench.exam(questions, shop.data, blank=True)
    assert not torch.equal(seen.features, grey.features)
