"""MedMCQA's JSON lines, and telling file kinds apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prompt4trust.datasets import CopBase, DatasetError, OnBad, load_dataset, read_medmcqa

RECORD: dict[str, Any] = {
    "question": "Which vitamin?",
    "opa": "A",
    "opb": "B1",
    "opc": "C",
    "opd": "D",
    "cop": 2,
    "subject_name": "Biochemistry",
    "choice_type": "single",
    "id": "45258d3d",
}


def written(folder: Path, *lines: object, name: str = "dev.json") -> Path:
    path = folder / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_a_question_is_read_whole(tmp_path: Path) -> None:
    [question] = read_medmcqa(written(tmp_path, RECORD), cop_base=1).questions
    assert question.id == "45258d3d"
    assert dict(question.options) == {"A": "A", "B": "B1", "C": "C", "D": "D"}
    assert question.answer == "B"
    assert question.image is None
    assert dict(question.groups) == {"subject": "Biochemistry", "choice_type": "single"}


def with_cops(folder: Path, *cops: object) -> Path:
    return written(folder, *(RECORD | {"id": str(place), "cop": cop} for place, cop in enumerate(cops)))


@pytest.mark.parametrize("on_bad", ["error", "skip"])
@pytest.mark.parametrize(
    ("cops", "told", "answers"),
    [
        ((0, 1, 2, 3), None, "ABCD"),  # the hub's files
        ((1, 2, 3, 4), None, "ABCD"),  # the original ones
        ((1, 2, 3, 0), None, "BCDA"),  # one 0 decides, wherever it stands
        ((1, 2, 3, "4"), None, "ABCD"),
        ((1, 2, 3), 0, "BCD"),
        ((1, 2, 3), 1, "ABC"),
        ((0, 2), 0, "AC"),
        ((4, 2), 1, "DB"),
    ],
)
def test_a_file_counts_its_options_from_0_or_1(
    tmp_path: Path, cops: tuple[object, ...], told: CopBase | None, answers: str, on_bad: OnBad
) -> None:
    dataset = read_medmcqa(with_cops(tmp_path, *cops), on_bad=on_bad, cop_base=told)
    assert "".join(question.answer or "-" for question in dataset.questions) == answers
    assert dataset.skipped == {}


@pytest.mark.parametrize("on_bad", ["error", "skip"])
@pytest.mark.parametrize(
    ("cops", "told", "fault"),
    [
        ((1, 2, 3), None, "does not show whether options are counted from 0 .* --cop-base 0 or --cop-base 1"),
        ((1, 0, 3, 4), None, "cop is 0 in line 2 and 4, of 4 options, in line 4"),
        ((1, 0, 3, 4), 1, "cop is 0 in line 2 and 4"),
        ((3, 0), 1, "line 2 has cop 0, so the file counts options from 0, not from 1"),
        ((3, 4), 0, "line 2 has cop 4, so the file counts options from 1, not from 0"),
    ],
)
def test_a_base_is_never_guessed_nor_kept_to_against_the_file(
    tmp_path: Path, cops: tuple[object, ...], told: CopBase | None, fault: str, on_bad: OnBad
) -> None:
    with pytest.raises(DatasetError, match=fault):
        read_medmcqa(with_cops(tmp_path, *cops), on_bad=on_bad, cop_base=told)


def test_the_whole_file_decides_and_not_the_questions_drawn(tmp_path: Path) -> None:
    path = with_cops(tmp_path, *[2] * 50, 0)
    assert {question.answer for question in read_medmcqa(path, limit=5, seed=3).questions} <= {"A", "C"}


@pytest.mark.parametrize("cop", [None, -1, ...])
def test_rows_of_the_test_split_have_no_truth(tmp_path: Path, cop: object) -> None:
    record = {key: value for key, value in RECORD.items() if key != "cop"}
    if cop is not ...:
        record["cop"] = cop
    assert read_medmcqa(written(tmp_path, record)).questions[0].answer is None


@pytest.mark.parametrize("cop", [5, "x", 1.5, True, [1], -2])
def test_cop_out_of_range_is_refused(tmp_path: Path, cop: object) -> None:
    path = written(tmp_path, RECORD, RECORD | {"id": "2", "cop": cop}, RECORD | {"id": "3", "cop": 4})
    with pytest.raises(DatasetError, match="line 2: cop is not a whole number from 1 to 4"):
        read_medmcqa(path)
    assert len(read_medmcqa(path, on_bad="skip").questions) == 2
    path = written(tmp_path, RECORD, RECORD | {"id": "2", "cop": cop}, RECORD | {"id": "3", "cop": 0})
    with pytest.raises(DatasetError, match="line 2: cop is not a whole number from 0 to 3"):
        read_medmcqa(path)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"question": "x"', "not complete JSON .*one question a line is expected"),
        ("[1]", "no JSON object .a JSON array stands where a question is expected"),
        ("7", "no JSON object .a JSON number stands where a question is expected"),
        ("[" * 100_000, "not complete JSON"),
        ({"question": "x", "opa": "1", "opb": "", "opc": "3"}, "missing or empty field .opb, opd."),
    ],
)
def test_a_bad_line_is_named_with_file_number_and_remedy(tmp_path: Path, line: object, fault: str) -> None:
    with pytest.raises(DatasetError, match=rf"dev\.json: 1 row\(s\) cannot be used:\s+line 3: {fault}") as caught:
        read_medmcqa(written(tmp_path, RECORD, "", line), cop_base=1)
    assert "leave them out and count them (--skip-bad" in str(caught.value)


def test_an_array_is_read_too(tmp_path: Path) -> None:
    rows = [RECORD | {"id": "1"}, RECORD | {"id": "2", "cop": 0}]
    for text in (json.dumps(rows), json.dumps(rows, indent=1), "\n" + json.dumps(rows)):
        path = tmp_path / "dev.json"
        path.write_text(text)
        assert [question.answer for question in load_dataset(path).questions] == ["C", "A"]
    path.write_text(json.dumps([rows[1], 7]))
    with pytest.raises(DatasetError, match=r"item 2: no JSON object .a JSON number"):
        read_medmcqa(path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[{"question": "x"},\n{"ques', "the JSON breaks off or is wrong at its line 2, .*copied whole"),
        ('{\n"data": [1],\n"split": "dev"}', r"one JSON object \(data, split\): one array of questions is expected"),
        ("[]", "an empty array"),
        ("  \n", "the file is empty"),
        ("[" * 100_000 + "\n", "nested too deeply"),
    ],
)
def test_a_file_that_is_no_list_of_questions_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "dev.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=rf"dev\.json: .*{fault}"):
        read_medmcqa(path, on_bad="skip")


def test_two_options_of_one_text_are_reported(tmp_path: Path) -> None:
    same = RECORD | {"opa": "Iron.", "opb": "iron"}
    path = written(tmp_path, same | {"id": "1", "cop": 0}, same | {"id": "2", "cop": 2}, RECORD | {"id": "3"})
    dataset = read_medmcqa(path)
    assert dataset.notes == {
        "two options have the same text, which is the right one: the letter alone decides": 1,
        "two options have the same text": 1,
    }
    assert len(dataset.questions) == 3


def test_numbers_are_options_and_ids_are_made_where_there_are_none(tmp_path: Path) -> None:
    record = {key: value for key, value in RECORD.items() if key != "id"} | {"opa": 5, "opb": 0.5}
    first, second = read_medmcqa(written(tmp_path, record, record), cop_base=1).questions
    assert first.options["A"] == "5"
    assert second.id == f"{first.id}.2"


def test_an_id_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="lines 1 and 2 have the same id '45258d3d'"):
        read_medmcqa(written(tmp_path, RECORD, RECORD), cop_base=1)


def test_a_draw_is_repeatable(tmp_path: Path) -> None:
    path = written(tmp_path, *(RECORD | {"id": str(i)} for i in range(50)))
    drawn = [question.id for question in read_medmcqa(path, limit=10, seed=1, cop_base=1).questions]
    assert len(drawn) == 10
    assert drawn == [question.id for question in load_dataset(path, limit=10, seed=1, cop_base=1).questions]
    with pytest.raises(ValueError, match="limit"):
        read_medmcqa(path, limit=0, cop_base=1)


def test_kinds_are_told_apart(tmp_path: Path) -> None:
    record = RECORD | {"cop": 4}
    assert len(load_dataset(written(tmp_path, record, name="x.jsonl")).questions) == 1
    assert len(load_dataset(written(tmp_path, "\ufeff" + json.dumps(record), name="plain")).questions) == 1
    assert len(load_dataset(written(tmp_path, record, name="odd.csv"), "medmcqa").questions) == 1
    with pytest.raises(DatasetError, match=r"not known by its fields \(a, b\): name it with --format"):
        load_dataset(written(tmp_path, "a,b", name="other"))
    with pytest.raises(DatasetError, match=r"questions\.csv: no such file"):
        load_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"not known by its fields \(a, b\): name it with --format .*--columns"):
        load_dataset(written(tmp_path, {"a": 1, "b": 2}, name="y.jsonl"))
