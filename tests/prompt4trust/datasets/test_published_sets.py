"""VQA-RAD, SLAKE, PathVQA and OmniMedVQA in the forms that they were published in, on rows of our own."""

from __future__ import annotations

import io
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prompt4trust.datasets import DatasetError, Kind, fingerprint, load_dataset

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "vqa-rad"

RAD: dict[str, Any] = {
    "qid": 7,
    "phrase_type": "freeform",
    "image_name": "one.jpg",
    "image_organ": "CHEST",
    "question": "Is the heart large?",
    "question_type": "SIZE, PRES",
    "answer": "yes",
    "answer_type": "CLOSED",
}
SLAKE: dict[str, Any] = {
    "qid": 11,
    "img_id": 1,
    "img_name": "a/source.jpg",
    "question": "Which organ is this?",
    "answer": "Liver",
    "q_lang": "en",
    "location": "Abdomen",
    "modality": "CT",
    "answer_type": "OPEN",
    "base_type": "vqa",
    "content_type": "Organ",
    "triple": ["vhead", "_", "_"],
}
OMNI: dict[str, Any] = {
    "dataset": "Made",
    "question_id": "Made_0001",
    "question_type": "Modality Recognition",
    "question": "What kind of picture is it?",
    "gt_answer": "An X-ray",
    "image_path": "Images/Made/1.png",
    "option_A": "A CT",
    "option_B": "an x-ray.",
    "option_C": "An MRI",
    "option_D": "A drawing",
    "modality_type": "X-Ray",
}


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (32, 32), 9).save(path)
    return path


def written(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return path


@pytest.mark.parametrize("folder", ["images", "VQA_RAD Image Folder", "."])
def test_vqa_rad_as_published(tmp_path: Path, folder: str) -> None:
    place = picture(tmp_path / folder / "one.jpg")
    rows = [
        RAD,
        RAD | {"qid": 8, "answer": "No "},
        RAD | {"qid": 9, "answer": "Left", "question": "Left or right?"},
        RAD | {"qid": 10, "answer": 3, "answer_type": "OPEN", "question": "How many?"},
        RAD | {"qid": 11, "answer": "No", "answer_type": "OPEN ", "question": "What is amiss?"},
    ]
    dataset = load_dataset(written(tmp_path / "VQA_RAD.json", *rows))
    first, second, left, three, open_no = dataset.questions
    assert (first.id, first.answer, dict(first.options)) == ("7", "A", {"A": "Yes", "B": "No"})
    assert first.image == place
    assert dict(first.groups) == {
        "organ": "CHEST",
        "question_type": "PRES, SIZE",
        "phrase": "freeform",
        "answer_type": "closed",
        "kind": "presence",
    }
    assert (second.answer, second.open_answer) == ("B", None)
    assert left.options[left.answer or ""] == "Left"
    assert set(left.options.values()) == {"Left", "Right"}
    assert left.groups["kind"] == "A or B"
    for question, expected in ((three, "3"), (open_no, "No")):
        assert (dict(question.options), question.answer, question.open_answer) == ({}, None, expected)
    assert dataset.notes == {}


def test_vqa_rad_as_json_lines_with_a_split(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "images" / "one.jpg")
    row = {"id": "r1", "image": "one.jpg", "organ": "chest", "question": "Where?", "answer": "Apex",
           "answer_type": "open", "question_type": "POS", "phrase": "para", "split": "test"}  # fmt: skip
    (tmp_path / "set" / "questions.jsonl").write_text(json.dumps(row) + "\n")
    dataset = load_dataset(tmp_path / "set")
    [question] = dataset.questions
    assert (dataset.name, question.id, question.open_answer, question.groups["split"]) == ("set", "r1", "Apex", "test")


def test_the_real_vqa_rad() -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not there: the real questions are read where they lie, and never copied")
    dataset = load_dataset(REAL, min_side=28)
    kinds = Counter((question.groups["answer_type"], bool(question.options)) for question in dataset.questions)
    assert kinds == {("closed", True): 1611, ("closed", False): 25, ("open", True): 364, ("open", False): 727}
    assert Counter(question.groups["kind"] for question in dataset.questions if question.options) == {
        "presence": 838,
        "side": 224,
        "size": 202,
        "abnormality": 177,
        "other, yes or no": 176,
        "image, yes or no": 129,
        "A or B": 72,
        "modality": 61,
        "plane": 52,
        "sequence": 23,
        "organ": 21,
    }
    assert Counter(question.groups["split"] for question in dataset.questions) == {
        "train": 1588,
        "calibration": 530,
        "validation": 247,
        "test": 362,
    }
    assert dataset.skipped == {}
    assert all(question.open_answer for question in dataset.questions if not question.options)


def test_slake_in_english(tmp_path: Path) -> None:
    place = picture(tmp_path / "imgs" / "a" / "source.jpg")
    rows = [
        SLAKE,
        SLAKE | {"qid": 12, "question": "Is it a CT?", "answer": "Yes", "answer_type": "CLOSED"},
        SLAKE | {"qid": 13, "q_lang": "zh"},
        SLAKE | {"qid": 12, "question": "Is it an MRI?", "answer": "No", "answer_type": "CLOSED"},
    ]
    dataset = load_dataset(written(tmp_path / "test.json", *rows))
    organ, is_ct, is_mri = dataset.questions
    assert (organ.open_answer, organ.image, organ.groups["content_type"]) == ("Liver", place, "Organ")
    assert (is_ct.id, is_ct.answer, is_mri.id, is_mri.answer) == ("12", "A", "12.2", "B")
    assert dataset.skipped == {"question in a language other than English": 1}


def test_path_vqa_as_json_with_names_that_have_no_ending(tmp_path: Path) -> None:
    place = picture(tmp_path / "images" / "train" / "train_0422.jpg")
    rows = [
        {"image": "train_0422", "question": "where are the cells?", "answer": "in the canals"},
        {"image": "train_0422", "question": "is it stained?", "answer": "yes"},
    ]
    first, second = load_dataset(written(tmp_path / "train.json", *rows)).questions
    assert (first.image, first.open_answer, first.answer) == (place, "in the canals", None)
    assert (second.answer, dict(second.options)) == ("A", {"A": "Yes", "B": "No"})


def test_path_vqa_as_parquet_with_its_pictures(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    drawn = io.BytesIO()
    Image.new("RGB", (40, 40), (200, 30, 90)).save(drawn, "JPEG")
    rows = [
        {"image": {"bytes": drawn.getvalue(), "path": "x.jpg"}, "question": "what?", "answer": "a cell"},
        {"image": {"bytes": drawn.getvalue(), "path": None}, "question": "is it?", "answer": "no"},
        {"image": {"bytes": None, "path": "x.jpg"}, "question": "is it?", "answer": "no"},
    ]
    path = tmp_path / "test.parquet"
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    with pytest.raises(DatasetError, match=r"test\.parquet: 1 row\(s\) .*\s+row 3: image not found .*x.jpg"):
        load_dataset(path)
    dataset = load_dataset(path, on_bad="skip", min_side=28)
    first, second = dataset.questions
    assert (first.open_answer, second.answer) == ("a cell", "B")
    assert first.image is not None
    assert first.image.read_bytes() == drawn.getvalue()
    assert first.image.parent == tmp_path / "test-images"
    again = load_dataset(path, on_bad="skip", images=tmp_path / "elsewhere")
    assert fingerprint(again.questions) == dataset.fingerprint
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"not readable as parquet .*copied whole"):
        load_dataset(path)


def test_omni_med_vqa(tmp_path: Path) -> None:
    place = picture(tmp_path / "Images" / "Made" / "1.png")
    short = {key: value for key, value in OMNI.items() if key not in ("option_C", "option_D", "modality_type")}
    rows = [OMNI, short | {"question_id": "Made_0002", "gt_answer": "A CT", "modality": "CT"}]
    path = written(tmp_path / "QA_information" / "Open-access" / "Made.json", *rows)
    first, second = load_dataset(path).questions
    assert (first.id, first.answer, first.image) == ("Made_0001", "B", place)
    assert dict(first.groups) == {"dataset": "Made", "question_type": "Modality Recognition", "modality": "X-Ray"}
    assert (second.answer, list(second.options), second.groups["modality"]) == ("A", ["A", "B"], "CT")


@pytest.mark.parametrize(
    ("kind", "row", "fault"),
    [
        ("vqa-rad", RAD | {"answer": ""}, r"missing or empty field \(answer\)"),
        ("vqa-rad", RAD | {"answer_type": "both"}, "answer_type is neither closed nor open .'both'"),
        ("vqa-rad", RAD | {"image_name": "../one.jpg"}, "the picture's name leads out of the image folder"),
        ("vqa-rad", RAD | {"image_name": "https://x/one.jpg"}, "the picture is an address .*fetch it"),
        ("vqa-rad", RAD | {"image_name": "gone.jpg"}, r"image not found .*gone\.jpg"),
        ("vqa-rad", [1], "no JSON object .a JSON array stands"),
        ("slake", SLAKE | {"img_name": None}, r"missing or empty field \(img_name\)"),
        ("slake", SLAKE | {"q_lang": ""}, r"missing or empty field \(q_lang\)"),
        ("slake", SLAKE | {"answer_type": ""}, "answer_type is neither"),
        ("path-vqa", {"image": "x", "question": "?"}, r"missing or empty field \(answer\)"),
        ("omnimedvqa", OMNI | {"gt_answer": "A photo"}, "gt_answer is the text of no option, or of several .'A photo'"),
        ("omnimedvqa", OMNI | {"gt_answer": "A"}, "gt_answer is the text of no option"),
        ("omnimedvqa", OMNI | {"option_C": "An x-ray"}, "gt_answer is the text of no option, or of several"),
        ("omnimedvqa", OMNI | {"option_B": ""}, r"empty option \(B\)"),
    ],
)
def test_a_bad_row_is_named_with_file_and_number(tmp_path: Path, kind: Kind, row: object, fault: str) -> None:
    picture(tmp_path / "one.jpg")
    with pytest.raises(DatasetError, match=rf"set\.json: 1 row\(s\) cannot be used:\s+item 1: {fault}"):
        load_dataset(written(tmp_path / "set.json", row), kind)


def test_what_is_packed_or_a_pickle_is_refused_with_a_remedy(tmp_path: Path) -> None:
    for name, data, remedy in (
        ("train_qa.pkl", pickle.dumps([{"image": "x"}]), "can run any program, .*json.dump"),
        ("qa.zip", b"PK\x03\x04rest", "unpack it"),
        ("qa.json.gz", b"\x1f\x8brest", "unpack it"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DatasetError, match=remedy):
            load_dataset(path)


def test_the_expected_text_of_an_open_question_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    picture(tmp_path / "imgs" / "a" / "source.jpg")
    one = load_dataset(written(tmp_path / "a.json", SLAKE)).fingerprint
    assert load_dataset(written(tmp_path / "b.json", SLAKE | {"answer": "Spleen"})).fingerprint != one
