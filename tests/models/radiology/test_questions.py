"""Questions of the recipe: splits by picture, one order of options, controls that are what they are called."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from models.radiology.data.generated import known_modality
from models.radiology.data.questions import known_parts, of_split, picture_splits, read_questions
from models.radiology.export import COLUMNS, export_questions, halves, majority_answers, other_pictures
from prompt4trust.datasets import load_dataset, parse_columns


def test_questions_are_multiple_choice_and_generated_ones_are_beside_them(vqa_rad: Path) -> None:
    asked = read_questions(vqa_rad, 0)
    assert Counter(each.kind for each in asked) == {
        "presence": 9, "plane": 9, "modality": 18, "side": 9, "body part": 18
    }  # fmt: skip
    assert len({each.id for each in asked}) == len(asked)
    assert {each.options[each.gold] for each in asked if each.kind == "body part"} == {"Head", "Chest", "Abdomen"}
    assert all(each.generated for each in asked if each.kind == "body part")
    assert known_parts(asked)["picture0.png"] == {"body part": "Head", "modality": "CT", "plane": "Axial"}


def test_test_pictures_are_asked_in_other_words(vqa_rad: Path) -> None:
    asked = [each for each in read_questions(vqa_rad, 0) if each.generated]
    elsewhere = {each.text for each in of_split(asked, "train", "calibration", "validation")}
    assert not elsewhere & {each.text for each in of_split(asked, "test")}


def test_the_order_of_options_is_the_seeds_and_tells_nothing(vqa_rad: Path) -> None:
    first, again, other = (read_questions(vqa_rad, seed) for seed in (0, 0, 1))
    assert first == again
    assert [each.options for each in first] != [each.options for each in other]
    assert [each.options[each.gold] for each in first] == [each.options[each.gold] for each in other]
    assert len({each.gold for each in first}) > 1


def test_a_picture_in_two_splits_is_refused(vqa_rad: Path, tmp_path: Path) -> None:
    lines = (vqa_rad / "questions.jsonl").read_text().splitlines()
    moved = json.loads(lines[0]) | {"split": "test", "id": "moved"}
    (tmp_path / "questions.jsonl").write_text("\n".join([*lines, json.dumps(moved)]))
    with pytest.raises(ValueError, match=r"picture0\.png is in more than one split"):
        picture_splits(tmp_path)


def test_a_modality_is_known_only_where_nobody_disagrees() -> None:
    told = {"question_type": "MODALITY", "question": "Modality?", "answer": "CT"}
    yes = {"question_type": "MODALITY", "question": "Is this an MRI?", "answer": "Yes"}
    no = {"question_type": "MODALITY", "question": "Is this an MRI?", "answer": "No"}
    assert [known_modality(rows) for rows in ([told], [yes], [no], [told, yes], [told, no])] == [
        "CT", "MRI", None, None, "CT"
    ]  # fmt: skip


def test_exported_questions_are_read_as_they_were(vqa_rad: Path, tmp_path: Path) -> None:
    asked = read_questions(vqa_rad, 0)
    export_questions(asked, tmp_path)
    dataset = load_dataset(tmp_path / "questions-test.jsonl", images=vqa_rad / "images", columns=parse_columns(COLUMNS))
    own = of_split(asked, "test")
    assert [each.id for each in dataset.questions] == [each.id for each in own]
    assert [(dict(each.options), each.answer) for each in dataset.questions] == [
        (each.lettered, list(each.lettered)[each.gold]) for each in own
    ]
    assert dataset.questions[0].groups["kind"] == own[0].kind


def test_calibration_is_divided_by_picture(vqa_rad: Path) -> None:
    asked = [each for each in read_questions(vqa_rad, 0) if each.split == "train"]
    first, second = halves(asked)
    assert len(first) + len(second) == len(asked)
    assert {each.picture for each in first}.isdisjoint(each.picture for each in second)
    assert len({each.picture for each in first}) == 2


def test_the_control_asks_about_another_picture_of_the_same_region(vqa_rad: Path) -> None:
    asked = read_questions(vqa_rad, 0)
    region = {each.picture: each.region for each in asked}
    made = other_pictures(of_split(asked, "train"))
    by_id = {each.id: each for each in asked}
    assert made
    for each in made:
        own = by_id[each.id]
        assert each.picture != own.picture
        assert region[each.picture] == own.region
        assert (each.text, each.options, each.gold) == (own.text, own.options, own.gold)


def test_the_majority_answers_by_the_same_text_and_else_by_kind(vqa_rad: Path) -> None:
    asked = read_questions(vqa_rad, 0)
    train, test = of_split(asked, "train"), of_split(asked, "test")
    answers = majority_answers(train, test)
    planes = [each for each in test if each.kind == "plane"]
    assert all(each.options[answers[each.id]] == "Axial" for each in planes)
    assert majority_answers([], test) == {}
