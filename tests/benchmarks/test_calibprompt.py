"""The study of CalibPrompt: its figures are paired means, and a combination is what it is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.calibprompt.figures import Answers, figure, mean_difference, mean_error, resampled, sampled_errors
from benchmarks.calibprompt.tuned import LOSSES, Case, cases, encode_split, fit_temperature, keep, run_case
from prompt4trust.datasets.phantoms import FAMILIES
from prompt4trust.metrics import accuracy, expected_calibration_error
from services.common.contrastive.model import ContrastiveModel
from tests.services.common.contrastive.tiny import save_clip


def answers(seed: int, n: int = 200) -> Answers:
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.3, 1.0, n)
    return Answers(np.arange(n), confidence, random.random(n) < confidence - 0.1)


def test_a_figure_is_the_mean_over_models_and_its_differences_are_paired() -> None:
    pair = [answers(0), answers(1)]
    found = resampled(pair, 200, 60)
    expected = np.mean([accuracy(each.confidence, each.right) for each in pair])
    assert figure(found["accuracy"]).value == pytest.approx(expected)
    assert figure(found["accuracy"]).low < expected < figure(found["accuracy"]).high
    same = figure(resampled(pair, 200, 60)["accuracy"] - found["accuracy"])
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_the_interval_of_a_calibration_error_holds_its_own_value_and_the_zero_of_calibrated_models() -> None:
    random = np.random.default_rng(4)
    calibrated = []
    for _ in range(4):
        confidence = random.uniform(0.3, 1.0, 400)
        calibrated.append(Answers(np.arange(400), confidence, random.random(400) < confidence))
    errors = [sampled_errors(each, 60)["ECE"] for each in calibrated]
    found = mean_error(errors)
    expected = np.mean([expected_calibration_error(each.confidence, each.right) for each in calibrated])
    assert found.value == pytest.approx(expected)
    assert found.low < 0.005 < found.value < found.high
    worse = [sampled_errors(each, 60)["ECE"] for each in (answers(seed, 2000) for seed in range(4))]
    difference = mean_difference(worse, errors)
    assert difference.low <= difference.value <= difference.high
    assert difference.low > 0
    back = mean_difference(errors, worse)
    assert (back.low, back.high) == pytest.approx((-difference.high, -difference.low))


def test_the_temperature_is_that_of_least_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 3, generator=generator)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0].numpy()
    assert fit_temperature(logits * 4, labels) == pytest.approx(4.0, rel=0.1)


def test_every_combination_is_listed_once_and_run_as_it_says(tmp_path: Path) -> None:
    listed = list(cases(tuple(FAMILIES), (8, 16), 2))
    assert len({case.file for case in listed}) == len(listed) == 2 * 2 * len(FAMILIES) * len(LOSSES)
    model = ContrastiveModel.load(save_clip(tmp_path / "model"))
    split = encode_split(model, 40, "train", 1)
    case = Case("size", "both", 2, 0)
    found = run_case(model, case, split, split, split)
    known = int((split.labels["size"] >= 0).sum())
    for each in found.values():
        assert each.shape == (known, len(FAMILIES["size"]))
        assert np.allclose(each.sum(axis=1), 1, atol=1e-5)
    assert not np.array_equal(found["plain"], found["untuned"])
    # A temperature changes no answer.
    assert np.array_equal(found["plain"].argmax(axis=1), found["scaled"].argmax(axis=1))
    keep(tmp_path, case, found)
    with np.load(tmp_path / case.file) as kept:
        assert np.array_equal(kept["scaled"], found["scaled"])
