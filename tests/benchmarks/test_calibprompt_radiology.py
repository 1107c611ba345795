"""The study of CalibPrompt on real radiographs: every picture is answered once, by what has not seen it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.calibprompt import radiology, tuned
from benchmarks.calibprompt.folds import divisions
from benchmarks.calibprompt.radiology import cases, measure
from models.contrastive_radiology.projection import Settings
from models.contrastive_radiology.stages import Plan, Workshop
from prompt4trust.metrics import expected_calibration_error
from tests.services.common.contrastive.tiny_parts import SIDE, TINY_PICTURES, TINY_TEXT, tiny_contrastive_parts


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
    kept = {case.file: (work / case.file).stat().st_mtime_ns for case in cases(8)}
    assert len(kept) == 2 * 2 * 2
    assert measure(replace(shop), 8, 20) == told
    assert kept == {name: (work / name).stat().st_mtime_ns for name in kept}
    [own] = [row for row in told["rows"] if (row["task"], row["how"]) == ("modality", "scaled")]
    shares = [
        np.load(work / case.file)["scaled"] for case in cases(8) if case.family == "modality" and case.loss != "both"
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
