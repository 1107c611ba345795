"""The studies of CalibPrompt: paired means, combinations that are what they are called, pictures answered unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.calibprompt import radiology, tuned
from benchmarks.calibprompt.figures import Answers, figure, mean_difference, mean_error, resampled, sampled_errors
from benchmarks.calibprompt.folds import divisions
from benchmarks.calibprompt.radiology import measure
from benchmarks.calibprompt.tuned import LOSSES, Case, cases, encode_split, fit_temperature, keep, run_case
from models.contrastive_radiology.projection import Settings
from models.contrastive_radiology.stages import Plan, Workshop
from prompt4trust.datasets.phantoms import FAMILIES
from prompt4trust.metrics import accuracy, expected_calibration_error
from services.common.contrastive.model import ContrastiveModel
from tests.services.common.contrastive.tiny import save_clip
from tests.services.common.contrastive.tiny_parts import SIDE, TINY_PICTURES, TINY_TEXT, tiny_contrastive_parts


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


def test_pictures_are_held_out_once_and_their_folds_share_none() -> None:
    classes = ["Head"] * 21 + ["Chest"] * 19 + ["Abdomen"] * 20
    divided = divisions(classes, 5)
    held = [place for each in divided for place in each.held.tolist()]
    assert sorted(held) == list(range(60))
    for each in divided:
        parts = [part.tolist() for part in (each.taught, each.shots, each.held)]
        assert sorted(place for part in parts for place in part) == list(range(60))
        for part, share in zip(parts, (24, 24, 12), strict=True):
            assert len(part) == share
            assert all(abs(sum(classes[at] == name for at in part) - share / 3) <= 1 for name in set(classes))


def test_a_combination_is_run_once_and_the_table_is_of_all_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radiology, "FOLDS", 2)
    monkeypatch.setattr(tuned, "LOSSES", {name: replace(each, epochs=2) for name, each in tuned.LOSSES.items()})
    data, work = tmp_path / "data", tmp_path / "work"
    (data / "images").mkdir(parents=True)
    rows = []
    for number in range(24):
        name = f"picture{number:02}.png"
        Image.new("L", (20 + number, 24), 9 * number).save(data / "images" / name)
        kind = {"question": "Which plane?", "answer": "unclear", "question_type": "PLANE"}
        part = ("head", "chest", "abd")[number % 3]
        split = ("train", "validation", "calibration", "train", "test", "train")[number // 4]
        rows.append({**kind, "image": name, "organ": part, "split": split})
        modality = ("CT", "MRI", "X-ray")[number // 3 % 3]
        rows.append({**rows[-1], "question": "Modality?", "answer": modality, "question_type": "MODALITY"})
    (data / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    plan = Plan(0, Settings(steps=3, folds=2))
    parts = tiny_contrastive_parts(tmp_path / "parts")
    shop = Workshop(data, work, parts, plan, 0, lambda _: None, TINY_PICTURES, TINY_TEXT, SIDE)
    told = measure(shop, 8, 20)
    assert told["pictures"] == 20
    assert {row["n"] for row in told["rows"]} == {20}
    assert len(told["rows"]) == 2 * 4
    kept = {case.file: (work / case.file).stat().st_mtime_ns for case in radiology.cases(8)}
    assert len(kept) == 2 * 2 * 2
    assert measure(replace(shop), 8, 20) == told
    assert kept == {name: (work / name).stat().st_mtime_ns for name in kept}
    [own] = [row for row in told["rows"] if (row["task"], row["how"]) == ("modality", "scaled")]
    shares = [
        np.load(work / case.file)["scaled"]
        for case in radiology.cases(8)
        if case.family == "modality" and case.loss != "both"
    ]
    confidence = np.concatenate([each.max(axis=1) for each in shares])
    assert own["mean_confidence"] == pytest.approx(confidence.mean(), abs=1e-4)
    likeliest = np.concatenate([each.argmax(axis=1) for each in shares])
    used = [each for each in shop.labelled if each.split != "test"]
    names = ("X-ray", "CT", "MRI")
    gold = [
        names.index(used[at].classes["modality"])
        for each in divisions([u.classes["body part"] for u in used], 2)
        for at in each.held
    ]
    right = likeliest == np.array(gold)
    assert own["wrong"] == int((~right).sum())
    assert own["figures"]["ECE"]["value"] == pytest.approx(expected_calibration_error(confidence, right), abs=1e-4)
