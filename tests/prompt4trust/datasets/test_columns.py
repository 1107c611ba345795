"""Tables of any kind, read by the names of their columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prompt4trust.datasets import CopBase, DatasetError, load_dataset, parse_columns

LETTERS = {"question": "q", "options": "a+b+c", "answer": "truth"}


def table(folder: Path, text: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    return table(folder, "".join(json.dumps(row) + "\n" for row in rows), "mine.jsonl")


def answers(path: Path, columns: dict[str, str] = LETTERS, cop_base: CopBase | None = None) -> str:
    dataset = load_dataset(path, columns=columns, cop_base=cop_base)
    return "".join(question.answer or "-" for question in dataset.questions)


@pytest.mark.parametrize(("name", "mark"), [("mine.csv", ","), ("mine.tsv", "\t"), ("mine.txt", "\t")])
def test_csv_and_tsv(tmp_path: Path, name: str, mark: str) -> None:
    Image.new("L", (32, 32)).save(tmp_path / "1.png")
    rows = [["n", "q", "a", "b", "c", "truth", "file", "site"], ["7", "Which?", "x", "y", "z", "B", "1.png", "north"]]
    path = table(tmp_path, "\n".join(mark.join(row) for row in rows) + "\n", name)
    dataset = load_dataset(path, columns={**LETTERS, "image": "file", "id": "n", "group": "site"})
    [question] = dataset.questions
    assert (question.id, question.text, question.answer, question.image) == ("7", "Which?", "B", tmp_path / "1.png")
    assert dict(question.options) == {"A": "x", "B": "y", "C": "z"}
    assert dict(question.groups) == {"site": "north"}
    assert dataset.source is not None
    assert (dataset.source.kind, dataset.source.columns) == (
        "columns",
        {**LETTERS, "image": "file", "id": "n", "group": "site"},
    )


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"q": "Which?", "listed": ["x", "y"], "truth": 0},
        {"q": "What?", "listed": ["x", "y"], "truth": 1},
        {"q": "Who?", "listed": ["x", "y"], "truth": None},
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "mine.parquet")
    path = tmp_path / "mine.parquet"
    assert answers(path, {"question": "q", "options": "listed", "answer": "truth"}) == "AB-"


@pytest.mark.parametrize(
    "form",
    [
        ["x", "y", "z"],
        {"A": "x", "B": "y", "C": "z"},
        {"b": "y", "a": "x", "c": "z"},
        '["x", "y", "z"]',
    ],
)
def test_options_in_one_column(tmp_path: Path, form: object) -> None:
    path = lines(tmp_path, {"q": "Which?", "listed": form, "truth": ["C"]})
    [question] = load_dataset(path, columns={"question": "q", "options": "listed", "answer": "truth"}).questions
    assert (dict(question.options), question.answer) == ({"A": "x", "B": "y", "C": "z"}, "C")


@pytest.mark.parametrize(
    ("truths", "told", "expected"),
    [
        (["A", "b", "(C)", "c."], None, "ABCC"),
        (["z", "Y", "x."], None, "CBA"),
        (["0", "1", "2"], None, "ABC"),
        (["1", "3", "2"], None, "ACB"),
        (["1", "2"], 0, "BC"),
        (["1", "2"], 1, "AB"),
        (["", "B"], None, "-B"),
    ],
)
def test_answers_are_letters_texts_or_numbers(
    tmp_path: Path, truths: list[str], told: CopBase | None, expected: str
) -> None:
    text = "q,a,b,c,truth\n" + "".join(f"Which {n}?,x,y,z,{truth}\n" for n, truth in enumerate(truths))
    assert answers(table(tmp_path, text), cop_base=told) == expected


def test_numbers_that_are_options_themselves(tmp_path: Path) -> None:
    header = "q,a,b,c,truth\n"
    path = table(tmp_path, f"{header}How many?,3,1,2,1\nHow few?,1,2,3,3\n")
    assert answers(path) == "BC"
    assert answers(path, cop_base=1) == "AC"
    path = table(tmp_path, f"{header}How many?,3,1,2,1\nWhich?,x,y,z,3\n")
    with pytest.raises(DatasetError, match=r"the answer of line 2 is a number that is an option's text, .*--cop-base"):
        answers(path)
    assert answers(path, cop_base=1) == "AC"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("q,a,b,c,truth\nWhich?,x,y,z,1\nWhat?,x,y,z,2\n", "truth never is 0 nor the last option's number"),
        ("q,a,b,c,truth\nWhich?,x,y,z,0\nWhat?,x,y,z,3\n", "truth is 0 in line 2 and 3, of 3 options, in line 3"),
        ("q,a,b,c\nWhich?,x,y,z\n", "no column truth; there are q, a, b, c: correct --columns"),
        ("q,a,b,c,truth\nWhich?,x,y,z,D\n", "line 2: the answer is no option's letter or text .'D'"),
        ("q,a,b,c,truth\nWhich?,x,X,z,x\n", "line 2: the answer is the text of several options"),
        ("q,a,b,c,truth\nWhich?,B,x,y,B\n", "line 2: the answer is an option's letter, and the text of another"),
        ("q,a,b,c,truth\n,x,y,z,A\n", "line 2: empty question"),
        ("q,a,b,c,truth\nWhich?,x,,z,A\n", "line 2: not 2 to 26 options"),
        ("q,a,b,c,truth\nWhich?,x,y,z\n", "line 2: row does not have 5 cells .it has 4: quote cells that hold a comma"),
        ('q,a,b,c,truth\nWhich?,x,"y,z,A\nWhat?,x,y,z,A\n', "line 2: a quotation mark opens a cell that is not closed"),
        ("q,a,a,c,truth\nWhich?,x,y,z,A\n", "several columns are called a: rename"),
        ("q,a,b,c,truth\n", "no usable question"),
    ],
)
def test_faults_are_named_with_file_row_and_remedy(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(DatasetError, match=rf"mine\.csv: (?:.|\n)*{fault}"):
        answers(table(tmp_path, text))


def test_a_number_beyond_the_options_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "q,a,b,c,truth\nWhich?,x,y,z,0\nWhat?,x,y,z,7\n")
    with pytest.raises(DatasetError, match=r"line 3: the answer is no number of an option, counted from 0 .'7'"):
        answers(path)


@pytest.mark.parametrize("listed", ["x;y", {"A": "x", "C": "y"}, {"first": "x", "second": "y"}, 7, [{}], "9" * 5000])
def test_options_that_are_no_list_are_refused(tmp_path: Path, listed: object) -> None:
    path = lines(tmp_path, {"q": "Which?", "listed": listed, "truth": "A"})
    with pytest.raises(DatasetError, match=r"line 1: the options are no list .listed: a list is expected"):
        answers(path, {"question": "q", "options": "listed", "answer": "truth"})


def test_a_table_without_options_holds_open_questions(tmp_path: Path) -> None:
    path = lines(tmp_path, {"q": "Where?", "truth": "At the apex"}, {"q": "How many?", "truth": 3}, {"q": "Why?"})
    dataset = load_dataset(path, columns={"question": "q", "answer": "truth"})
    assert [(q.answer, q.open_answer, dict(q.options)) for q in dataset.questions] == [
        (None, "At the apex", {}),
        (None, "3", {}),
        (None, None, {}),
    ]


def test_open_answers_stay_as_they_are_written(tmp_path: Path) -> None:
    path = lines(tmp_path, {"q": "How wide?", "truth": "2.0"}, {"q": "How long?", "truth": 2.0})
    dataset = load_dataset(path, columns={"question": "q", "answer": "truth"})
    assert [question.open_answer for question in dataset.questions] == ["2.0", "2.0"]


def test_a_column_may_have_a_plus_in_its_name(tmp_path: Path) -> None:
    path = lines(tmp_path, {"q": "Which?", "a+b": ["x", "y"], "truth": "y"})
    assert answers(path, {"question": "q", "options": "a+b", "answer": "truth"}) == "B"


def test_a_picture_that_is_missing_or_leads_out_is_refused(tmp_path: Path) -> None:
    columns = {**LETTERS, "image": "file"}
    for name, fault in (("gone.png", "image not found"), ("/etc/hostname", "leads out"), ("", "no picture is named")):
        path = table(tmp_path, f"q,a,b,c,truth,file\nWhich?,x,y,z,A,{name}\n")
        with pytest.raises(DatasetError, match=f"line 2: .*{fault}"):
            load_dataset(path, columns=columns)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("answer=a", "no column is named for the question"),
        ("question=q,truth=t", "'truth=t' is not MEANING=COLUMN, with each of question, options"),
        ("question=q,question=r", "'question=r' is not"),
        ("question", "'question' is not"),
        ("question=", "'question=' is not"),
        ("", "'' is not"),
    ],
)
def test_columns_that_cannot_be_read(text: str, fault: str) -> None:
    with pytest.raises(DatasetError, match=fault):
        parse_columns(text)


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "Figure_path,Question,Choice A,Choice B,Answer_label\n")
    with pytest.raises(DatasetError, match="of another format than pmc-vqa"):
        load_dataset(path, "pmc-vqa", columns=LETTERS)
    with pytest.raises(DatasetError, match="which columns hold what"):
        load_dataset(path, "columns")
    with pytest.raises(DatasetError, match="the format pmc-vqa gives no right option as a number"):
        load_dataset(path, cop_base=1)
    with pytest.raises(DatasetError, match="no meaning 'truth'"):
        load_dataset(path, columns={"question": "q", "truth": "t"})


def test_options_in_the_questions_own_lines(tmp_path: Path) -> None:
    columns = {"question": "q", "answer": "truth"}
    rows = [
        {"q": "What is shown?\nA) CT\nB) MRI", "truth": "B"},
        {"q": "What is shown?\n\nA: CT\nB: MRI\n\nName the letter.", "truth": "CT"},
        {"q": "What is shown?", "truth": "a kidney"},
        {"q": "Is it a CT?", "truth": "no"},
    ]
    found = load_dataset(lines(tmp_path, *rows), columns=columns).questions
    assert [dict(each.options) for each in found[:3]] == [{"A": "CT", "B": "MRI"}] * 2 + [{}]
    assert [each.answer for each in found[:3]] == ["B", "A", None]
    assert [each.text for each in found[:2]] == ["What is shown?", "What is shown?\n\n\nName the letter."]
    assert (found[2].open_answer, found[3].options[found[3].answer or ""]) == ("a kidney", "No")


@pytest.mark.parametrize("text", ["Which? A: Round B: Oval", "Which?\n1. Round\n2. Oval", "A) CT\nB) MRI"])
def test_options_in_the_text_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DatasetError, match=r"line 1: (the question's text may hold options|empty question)"):
        load_dataset(lines(tmp_path, {"q": text, "truth": "B"}), columns={"question": "q", "answer": "truth"})
