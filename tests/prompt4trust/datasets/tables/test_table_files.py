"""Tables as pandas, Excel, R and the hub's tools write them."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from prompt4trust.datasets import DatasetError, load_dataset
from prompt4trust.datasets._base import content_id
from prompt4trust.datasets.tables.csv_files import mark_of

FRAME = pd.DataFrame(
    {
        "q": ["Größe; Form?", "Which, then?", 'The "upper"\none?'],
        "a": ["klein; rund", "left", "x"],
        "b": ["groß, oval", "right", "y"],
        "truth": ["B", "left", "b"],
    }
)
COLUMNS = {"question": "q", "options": "a+b", "answer": "truth"}
READ = [tuple(row[:3]) for row in FRAME.itertuples(index=False)]


def read(path: Path, columns: dict[str, str] = COLUMNS) -> list[tuple[str, ...]]:
    dataset = load_dataset(path, columns=columns)
    assert [question.answer for question in dataset.questions] == ["B", "A", "B"]
    return [(question.text, *question.options.values()) for question in dataset.questions]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_encodings_and_line_ends(tmp_path: Path, mark: str, encoding: str, end: str) -> None:
    path = tmp_path / "mine.csv"
    FRAME.to_csv(path, sep=mark, encoding=encoding, lineterminator=end)
    assert read(path) == READ


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("q,scale 0;1;2;3,a\nWhich?,2,A\n", ","),
        ("q,scale 0;1;2;3,a\nWhich; what?,2,A\nWhere?,3,B\n", ","),
        ("Frage, kurz, lang, je;x;y\nWelche?;1,5;2\n", ";"),
        ("q;x, mm;y\nWhich?;1,5;2\n", ";"),  # both fit
        ("q,x;y;z\n", ","),
        ("q\tx, y, z\nWhich?\t1\n", "\t"),
        ('q,"x;y;z"\nWhich?,1\n', ","),
        ("q\nWhich?\n", ","),
    ],
)
def test_marks_within_titles_part_no_cells(tmp_path: Path, text: str, mark: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    assert mark_of(path) == mark


def test_excels_line_that_names_the_mark(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    text = FRAME.to_csv(sep=";", index=False)
    path.write_text(f"sep=;\n{text}", encoding="utf-8")
    assert read(path) == READ
    path.write_text(f"sep=;\n{text}only one cell\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"line 7: row does not have 4 cells .*quote cells that hold a semicolon"):
        read(path)


def test_utf_16_holds_json_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(FRAME.to_json(orient="records", lines=True, force_ascii=False), encoding="utf-16")
    assert read(path) == READ


def test_a_line_of_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = "".join(f"Which {n}?,x,y,A\n" for n in range(2000))  # further than one look into the file
    path.write_bytes(f"q,a,b,truth\n{rows}Wie groß?,x,y,A\n".encode("cp1252"))
    with pytest.raises(DatasetError, match=r"line 2002 is not UTF-8 .byte 0xdf.: save it as UTF-8 .Excel"):
        read(path)


@pytest.mark.parametrize(("begin", "fault"), [("", "line 2: not complete JSON"), ("[\n", "more digits than are read")])
def test_a_number_of_very_many_digits_is_a_fault_of_its_row(tmp_path: Path, begin: str, fault: str) -> None:
    path = tmp_path / "mine.jsonl"
    good, bad = '{"q": "Which?", "a": "x", "b": "y", "truth": "A"}', f'{{"q": "Which?", "a": {"9" * 5000}}}'
    path.write_text(f"{begin}{good}{',' if begin else ''}\n{bad}\n{']' if begin else ''}")
    with pytest.raises(DatasetError, match=fault):
        load_dataset(path, columns=COLUMNS)
    if not begin:
        assert len(load_dataset(path, columns=COLUMNS, on_bad="skip").questions) == 1


def workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (workbook(), "a workbook: save its sheet as 'CSV UTF-8'"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook: save its sheet"),
        (b"ARROW1\0\0", "an Arrow file: write it as parquet"),
        (b"\xff\xff\xff\xff\x10\0\0\0", "an Arrow stream: write it as parquet"),
        (b"PK\x03\x04" + bytes(40), "a zip archive: unpack it"),
        (b"\x1f\x8b\x08", "compressed by gzip: unpack it"),
        (b"q,a\0,b", "neither a text file nor parquet"),
    ],
)
def test_files_of_other_programs_are_named_with_a_remedy(tmp_path: Path, data: bytes, fault: str) -> None:
    path = tmp_path / "mine"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=f"mine: {fault}"):
        read(path)


def test_two_cells_with_line_breaks_swallow_no_row(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    frame = FRAME.drop(columns=["a", "b"]).assign(o=[f"A: {a}\nB: {b}" for _, a, b in READ])
    frame[["q", "truth", "o"]].to_csv(path, index=False)
    assert read(path, {**COLUMNS, "options": "o"}) == READ


@pytest.mark.parametrize(
    "cell",
    [
        str,
        lambda options: str(dict(zip("AB", options, strict=True))),
        lambda options: json.dumps([f"({letter}) {text}" for letter, text in zip("AB", options, strict=True)]),
        lambda options: "\n".join(f"{letter}: {text}" for letter, text in zip("AB", options, strict=True)),
        lambda options: json.dumps(
            [{"key": letter, "value": text} for letter, text in zip("AB", options, strict=True)]
        ),
        lambda options: json.dumps({"text": options, "label": ["A", "B"]}),
    ],
)
def test_options_in_one_cell(tmp_path: Path, cell: Any) -> None:
    path = tmp_path / "mine.jsonl"
    FRAME.assign(o=[cell([a, b]) for _, a, b in READ]).to_json(path, orient="records", lines=True)
    assert read(path, {**COLUMNS, "options": "o"}) == READ


def rows(path: Path, *values: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in values))
    return path


def test_letters_that_options_bear_never_mean_another_option(tmp_path: Path) -> None:
    columns = {"question": "q", "options": "o", "answer": "truth"}
    path = rows(tmp_path / "mine.jsonl", {"q": "Which?", "o": ["B: x", "A: y"], "truth": "A"})
    with pytest.raises(DatasetError, match=r"line 1: the options bear letters that are not in order .*or take"):
        load_dataset(path, columns=columns)
    species = ["A. baumannii", "B. fragilis"]
    path = rows(tmp_path / "species.jsonl", {"q": "Which?", "o": species, "truth": "B. fragilis"})
    [question] = load_dataset(path, columns=columns).questions
    assert ([*question.options.values()], question.answer) == (species, "B")


def test_choices_of_published_sets_bear_no_others_letters_either(tmp_path: Path) -> None:
    (tmp_path / "f.png").write_bytes(picture(1))
    path = tmp_path / "pmc.csv"
    path.write_text("Figure_path,Question,Choice A,Choice B,Answer_label\nf.png,Seen?,B: x,A: y,A\n")
    with pytest.raises(DatasetError, match="line 2: the options bear letters that are not in order"):
        load_dataset(path)
    row = {"question": "Which?", "opa": "(C) x", "opb": "(A) y", "opc": "(D) z", "opd": "(B) w", "cop": 4}
    with pytest.raises(DatasetError, match="line 1: the options bear letters that are not in order"):
        load_dataset(rows(tmp_path / "medmcqa.jsonl", row))


@pytest.mark.parametrize(
    ("truth", "expected"), [("B: right", "B"), ("(B) Right.", "B"), ("[A] left", "A"), ("B) left", None)]
)
def test_answers_with_letter_and_text(tmp_path: Path, truth: str, expected: str | None) -> None:
    path = rows(tmp_path / "mine.jsonl", {"q": "Which?", "o": ["left", "right"], "truth": truth})
    columns = {"question": "q", "options": "o", "answer": "truth"}
    if expected is None:
        with pytest.raises(DatasetError, match="line 1: the answer's letter is that of another option than its text"):
            load_dataset(path, columns=columns)
    else:
        assert load_dataset(path, columns=columns).questions[0].answer == expected


def test_a_numpy_array_as_text_is_no_list(tmp_path: Path) -> None:
    path = rows(tmp_path / "mine.jsonl", {"q": "Which?", "o": "['left' 'right']", "truth": "A"})
    with pytest.raises(DatasetError, match="line 1: the options are no list"):
        load_dataset(path, columns={"question": "q", "options": "o", "answer": "truth"})


def test_values_within_objects(tmp_path: Path) -> None:
    row = {"item": {"q": "Which?", "o": {"a": "x", "b": "y"}}, "truth": "B"}
    columns = {"question": "item.q", "options": "item.o.a+item.o.b", "answer": "truth"}
    [question] = load_dataset(rows(tmp_path / "mine.jsonl", row), columns=columns).questions
    assert (question.text, dict(question.options), question.answer) == ("Which?", {"A": "x", "B": "y"}, "B")
    with pytest.raises(DatasetError, match=r"no column item\.what; there are item, truth"):
        load_dataset(tmp_path / "mine.jsonl", columns={"question": "item.what"})


def test_no_value_is_none_however_it_is_written(tmp_path: Path) -> None:
    nan = float("nan")
    path = rows(
        tmp_path / "mine.jsonl",
        {"q": "1", "a": "x", "b": "y", "c": nan, "truth": 2.0, "id": nan, "group": nan},
        {"q": "2", "a": "x", "b": "y", "c": "z", "truth": nan, "id": "k", "group": "g"},
    )
    columns = {"question": "q", "options": "a+b+c", "answer": "truth", "id": "id", "group": "group"}
    first, second = load_dataset(path, columns=columns).questions
    assert ([*first.options.values()], first.answer, dict(first.groups)) == (["x", "y"], "B", {})
    assert ("nan" in first.id, second.answer, second.id, dict(second.groups)) == (False, None, "k", {"group": "g"})
    pd.DataFrame({"q": "Which?", "a": "x", "b": "y", "truth": [1, None, 2]}).to_csv(tmp_path / "gaps.csv")
    assert [each.answer for each in load_dataset(tmp_path / "gaps.csv", columns=COLUMNS).questions] == ["A", None, "B"]


def test_yes_and_no_are_options_where_a_table_lists_none(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("q,truth\nIs it?,YES\nWas it?, no \nWhere?,In the lung\n")
    found = load_dataset(path, columns={"question": "q", "answer": "truth"}).questions
    assert [(each.answer, each.open_answer, len(each.options)) for each in found] == [
        ("A", None, 2),
        ("B", None, 2),
        (None, "In the lung", 0),
    ]


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (32, 32), shade).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "carried",
    [
        lambda data: base64.b64encode(data + bytes(300)).decode(),
        lambda data: "data:image/png;base64," + base64.b64encode(data).decode(),
        lambda data: "data:image/png;base64," + base64.b64encode(data + bytes(200_000)).decode(),
    ],
)
def test_pictures_in_a_cell(tmp_path: Path, carried: Any) -> None:
    path = tmp_path / "mine.tsv"
    FRAME.assign(i=[carried(picture(shade)) for shade in (1, 2, 3)]).to_csv(path, sep="\t", index=False)
    dataset = load_dataset(path, columns={**COLUMNS, "image": "i"}, min_side=32)
    shades = []
    for question in dataset.questions:
        assert question.image is not None
        with Image.open(question.image) as image:
            shades.append(image.getpixel((0, 0)))
    assert shades == [1, 2, 3]


@pytest.mark.parametrize(
    ("carried", "fault"),
    [
        (
            "data:image/png,abc",
            "row 1: the picture in the table cannot be read .its text is a data: URL",
        ),
        ([{"bytes": b"x", "path": None}] * 2, "row 1: the row has several pictures .2: a question is asked about one"),
        ({"bytes": None, "path": "gone.png"}, "row 1: image not found"),
        (
            str({"bytes": bytes(999), "path": None}),
            "row 1: the picture's name is longer than a file's can be .it begins",
        ),
        (None, "row 1: no picture is named"),
    ],
)
def test_pictures_that_are_not_there(tmp_path: Path, carried: object, fault: str) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist([{"q": "Is it?", "i": carried}]), tmp_path / "mine.parquet")
    with pytest.raises(DatasetError, match=fault):
        load_dataset(tmp_path / "mine.parquet", columns={"question": "q", "image": "i"})


@pytest.mark.parametrize("wrapped", [lambda value: value, lambda value: [value]])
def test_pictures_of_the_hubs_tables(tmp_path: Path, wrapped: Any) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    values = [wrapped({"bytes": picture(shade), "path": None}) for shade in (1, 2, 3)]
    table = arrow.Table.from_pylist(
        [{**row, "i": value} for row, value in zip(FRAME.to_dict("records"), values, strict=True)]
    )
    parquet.write_table(table, tmp_path / "mine.parquet")
    found = load_dataset(tmp_path / "mine.parquet", columns={**COLUMNS, "image": "i"}).questions
    assert [each.image.read_bytes() for each in found if each.image] == [picture(shade) for shade in (1, 2, 3)]


def test_a_picture_may_be_named_from_beside_the_folder_of_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "1.png").write_bytes(picture(1))
    columns = {"question": "q", "image": "i"}
    for name in ("images/1.png", "images\\1.png", "1.png"):
        path = rows(tmp_path / "mine.jsonl", {"q": "Is it?", "i": name})
        assert load_dataset(path, columns=columns).questions[0].image == folder / "1.png"
    path = rows(tmp_path / "mine.jsonl", {"q": "Is it?", "i": "/data/1.png"})
    with pytest.raises(DatasetError, match=re.escape(f"/data/1.png: name it as it lies below {folder}")):
        load_dataset(path, columns=columns)


@pytest.mark.parametrize("ending", [".parquet", ".jsonl", ".csv"])
def test_pmc_vqa_in_other_files(tmp_path: Path, ending: str) -> None:
    (tmp_path / "f.png").write_bytes(picture(1))
    row = {"Figure_path": "f.png", "Question": "Seen?", "Answer": "B: Lung", "Choice A": "A: Heart",
           "Choice B": "B:Lung", "Answer_label": "B"}  # fmt: skip
    path, frame = tmp_path / f"test{ending}", pd.DataFrame([row])
    match ending:
        case ".parquet":
            pytest.importorskip("pyarrow")
            frame.to_parquet(path)
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        case _:
            frame.to_csv(path, sep=";", index=False)
    [question] = load_dataset(path).questions
    assert (dict(question.options), question.answer) == ({"A": "Heart", "B": "Lung"}, "B")


@pytest.mark.parametrize(
    ("cop", "expected"), [("1.0", "B"), (1.0, "B"), ("-1", None), ("", None), (float("nan"), None)]
)
def test_medmcqas_answers_in_tables_with_gaps(tmp_path: Path, cop: object, expected: str | None) -> None:
    row = {"question": "Which?", "opa": "1", "opb": "2", "opc": "3", "opd": "4"}
    path = rows(tmp_path / "dev.jsonl", {**row, "id": "1", "cop": cop}, {**row, "id": "2", "cop": 0})
    assert [each.answer for each in load_dataset(path).questions] == [expected, "A"]


def test_vqa_rad_with_its_pictures_in_the_table(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    row = {"image_name": None, "image": {"bytes": picture(7), "path": None}, "question": "Is it large?",
           "answer": "Yes", "answer_type": "CLOSED", "question_type": "SIZE"}  # fmt: skip
    parquet.write_table(arrow.Table.from_pylist([row]), tmp_path / "test.parquet")
    [question] = load_dataset(tmp_path / "test.parquet").questions
    assert question.image is not None
    assert (question.answer, question.image.read_bytes()) == ("A", picture(7))


def test_vqa_rads_pictures_may_be_numbers_and_name_questions_by_their_text(tmp_path: Path) -> None:
    for name in ("0.png", "a.png"):
        (tmp_path / name).touch()
    row = {"question": "Is it large?", "answer": "Yes", "answer_type": "CLOSED", "question_type": "SIZE"}
    path = rows(tmp_path / "rad.jsonl", {**row, "image_name": 0}, {**row, "image_name": "a.png "}, row)
    dataset = load_dataset(path, on_bad="skip")
    assert [question.image and question.image.name for question in dataset.questions] == ["0.png", "a.png"]
    assert [question.id for question in dataset.questions] == [
        content_id("0", "Is it large?", "Yes"),
        content_id("a.png", "Is it large?", "Yes"),
    ]
    carried = rows(tmp_path / "in.jsonl", {**row, "image_name": "", "image": {"bytes": None, "path": "a.png"}})
    [question] = load_dataset(carried).questions
    assert question.id == content_id("a", "Is it large?", "Yes")


def test_an_object_of_pmc_vqa_without_a_field_is_a_bad_row(tmp_path: Path) -> None:
    (tmp_path / "f.png").touch()
    row = {"Figure_path": "f.png", "Question": "Seen?", "Choice A": "Heart", "Choice B": "Lung", "Answer_label": "B"}
    short = {name: value for name, value in row.items() if name != "Choice B"}
    path = rows(tmp_path / "test.jsonl", row, short, {**row, "Question": "Where?"})
    assert [question.answer for question in load_dataset(path, on_bad="skip").questions] == ["B", "B"]
    with pytest.raises(DatasetError, match="line 2: empty choice"):
        load_dataset(path)
    with pytest.raises(DatasetError, match="no column choice b"):
        load_dataset(rows(tmp_path / "short.jsonl", short), on_bad="skip")
