"""PMC-VQA files as they are found: odd headers, labels in cells, missing pictures, contradictory truths."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from prompt4trust.datasets import DatasetError, OnBad, load_dataset, read_pmc_vqa
from prompt4trust.datasets.phantoms import generate
from prompt4trust.datasets.tables import csv_files

HEADER = "Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label"
ROW = "f.png,What is seen?, B:Lung , A:Heart , B:Lung ,C: Liver,D:Brain,B"


def picture(folder: Path, name: str = "f.png", size: tuple[int, int] = (32, 32)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(folder / name)


def written(folder: Path, *rows: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    picture(folder / "images")
    path = folder / "questions.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return path


def test_a_row_of_the_published_file(tmp_path: Path) -> None:
    [question] = read_pmc_vqa(written(tmp_path, ROW)).questions
    assert question.text == "What is seen?"
    assert dict(question.options) == {"A": "Heart", "B": "Lung", "C": "Liver", "D": "Brain"}
    assert question.answer == "B"
    assert question.image == tmp_path / "images" / "f.png"


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace("Answer,", "Anwser,"),
        HEADER.lower(),
        HEADER.replace("Choice A", " Choice  A "),
        HEADER.replace("Choice A", "choice_a").replace("Figure_path", "Figure path"),
    ],
)
def test_headers_in_other_spellings(tmp_path: Path, header: str) -> None:
    [question] = read_pmc_vqa(written(tmp_path, ROW, header=header)).questions
    assert question.answer == "B"
    assert question.options["A"] == "Heart"


def test_byte_order_mark_quoted_commas_and_line_breaks(tmp_path: Path) -> None:
    row = 'f.png,"One, two\nor ""three""?",Lung,"A: x, y","B:Lung",C:c,D:d,B'
    path = written(tmp_path, row, ROW, encoding="utf-8-sig")
    first, second = read_pmc_vqa(path).questions
    assert first.text == 'One, two\nor "three"?'
    assert first.options["A"] == "x, y"
    assert second.answer == "B"


def test_only_the_choices_own_letter_with_a_colon_is_taken_off(tmp_path: Path) -> None:
    row = "f.png,Which?,A. baumannii,A. baumannii,E: elegans,\u00a0c : x\u200a,D:D: y,A"
    [question] = read_pmc_vqa(written(tmp_path, row)).questions
    assert dict(question.options) == {"A": "A. baumannii", "B": "E: elegans", "C": "x", "D": "D: y"}


def test_later_files_give_the_letter_as_answer(tmp_path: Path) -> None:
    header = "index,Figure_path,Caption,Question,Choice A,Choice B,Choice C,Choice D,Answer,split"
    [question] = read_pmc_vqa(written(tmp_path, "0,f.png,A scan.,Which?,w,x,y,z,C,test", header=header)).questions
    assert question.answer == "C"
    [question] = read_pmc_vqa(written(tmp_path, "0,f.png,A scan.,Which?,w,x,y,z,Y.,test", header=header)).questions
    assert question.answer == "C"


def test_answer_naming_another_choice_than_the_label_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ROW, "f.png,Which?,x,w,x,y,z,C")
    with pytest.raises(DatasetError, match=r"line 3: Answer and Answer_label disagree .*'C'.*'x'"):
        read_pmc_vqa(path)
    assert read_pmc_vqa(path, on_bad="skip").skipped == {"Answer and Answer_label disagree": 1}


def test_answer_that_is_no_choice_leaves_the_label_and_a_note(tmp_path: Path) -> None:
    dataset = read_pmc_vqa(written(tmp_path, "f.png,Which?,something like x,w,x,y,z,B"))
    assert dataset.questions[0].answer == "B"
    assert list(dataset.notes.values()) == [1]


def test_equal_choices_do_not_contradict_the_label(tmp_path: Path) -> None:
    [question] = read_pmc_vqa(written(tmp_path, "f.png,Which?,x,x,X,y,z,B")).questions
    assert question.answer == "B"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("f.png,,x,w,x,y,z,B", "empty question"),
        (",Which?,x,w,x,y,z,B", "empty Figure_path"),
        ("f.png,Which?,x,w,,y,z,A", "empty choice"),
        ("f.png,Which?,x,w,x,y,z,E", "Answer_label is none of the choices"),
        ("f.png,Which?,q,w,x,y,z,", "no truth"),
        ("f.png,Which?,x,w,x,y,z", "row does not have 8 cells"),
        ("g.png,Which?,x,w,x,y,z,B", "image not found"),
        ("../questions.csv,Which?,x,w,x,y,z,B", "leads out of the image folder"),
        ("/etc/hostname,Which?,x,w,x,y,z,B", "leads out of the image folder"),
    ],
)
def test_bad_rows_are_named_with_their_line(tmp_path: Path, row: str, fault: str) -> None:
    path = written(tmp_path, ROW, row)
    with pytest.raises(DatasetError, match=rf"1 row\(s\) cannot be used:\s+line 3: .*{fault}"):
        read_pmc_vqa(path)
    dataset = read_pmc_vqa(path, on_bad="skip")
    assert len(dataset.questions) == 1
    assert sum(dataset.skipped.values()) == 1


def test_many_missing_images_are_listed_first_few_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"gone{i}.png,Which {i}?,x,w,x,y,z,B" for i in range(30)), ROW)
    with pytest.raises(DatasetError) as caught:
        read_pmc_vqa(path)
    message = str(caught.value)
    assert "30 row(s)" in message
    assert "and 25 more" in message
    assert message.count("image not found") == 5
    assert str(tmp_path / "images" / "gone0.png") in message
    assert read_pmc_vqa(path, on_bad="skip").skipped == {"image not found": 30}


def test_nothing_usable_is_an_error_also_when_skipping(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no usable question .*1 x image not found"):
        read_pmc_vqa(written(tmp_path, "gone.png,Which?,x,w,x,y,z,B"), on_bad="skip")
    with pytest.raises(DatasetError, match="no usable question"):
        read_pmc_vqa(written(tmp_path))


def test_trailing_empty_choices_make_a_shorter_question(tmp_path: Path) -> None:
    [question] = read_pmc_vqa(written(tmp_path, "f.png,Which?,x,w,x,,,B")).questions
    assert list(question.options) == ["A", "B"]


def test_small_and_broken_pictures_are_left_out_when_asked(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"{name},Which?,x,w,x,y,z,B" for name in ("f.png", "small.png", "broken.png")))
    picture(tmp_path / "images", "small.png", (200, 27))
    (tmp_path / "images" / "broken.png").write_bytes(b"no picture")
    assert len(read_pmc_vqa(path).questions) == 3
    dataset = read_pmc_vqa(path, min_side=28)
    assert [question.image.name for question in dataset.questions if question.image] == ["f.png"]
    assert dataset.skipped == {"image under 28 px": 1, "image does not open": 1}


def test_no_pmc_vqa_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no column question, choice a, choice b, answer_label among Figure_path, x"):
        read_pmc_vqa(written(tmp_path, "f.png,1", header="Figure_path,x"))
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(DatasetError, match="empty"):
        read_pmc_vqa(empty)
    latin = tmp_path / "latin.csv"
    latin.write_bytes(HEADER.encode() + b"\nf.png,caf\xe9,,,,,,\n")
    with pytest.raises(DatasetError, match=r"line 2 is not UTF-8 .byte 0xe9.: save it as UTF-8"):
        read_pmc_vqa(latin)


def test_an_overlong_cell_is_refused_whatever_the_limit_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = csv.field_size_limit()
    # Cells may be as long as pictures, and a test would be as slow: the rule is tried at a shorter limit.
    assert csv_files._LONGEST_CELL == 32 << 20
    monkeypatch.setattr(csv_files, "_LONGEST_CELL", 200_000)
    try:
        csv.field_size_limit(1)
        longest = "x" * 200_000
        [question] = read_pmc_vqa(written(tmp_path, f"f.png,{longest},x,w,x,y,z,B")).questions
        assert question.text == longest
        with pytest.raises(
            DatasetError, match=r"line 3: not readable as CSV \(field larger than field limit \(200000\)\)"
        ):
            read_pmc_vqa(written(tmp_path, ROW, f"f.png,{longest}x,x,w,x,y,z,B"), on_bad="skip")
    finally:
        csv.field_size_limit(allowed)


@pytest.mark.parametrize("on_bad", ["error", "skip"])
@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        # never closed
        (
            [ROW, 'f.png,"Which?,x,w,x,y,z,B', ROW, ROW],
            "line 3: a quotation mark opens a cell that is not closed .*line 5",
        ),
        # closed by a mark of another row, wherever that stands
        (
            [ROW, 'f.png,"Which?,x,w,x,y,z,B', 'f.png,Which",x,w,x,y,z,B', ROW],
            "line 3: .* joins lines 3 to 4 to one row",
        ),
        (
            [ROW, 'f.png,"Which?,x,w,x,y,z,B', ROW, 'f.png,Which",x,w,x,y,z,B'],
            "line 3: .* joins lines 3 to 5 to one row",
        ),
        ([ROW, 'f.png,Which?,x,w,x,y,z,"B', ROW, 'f.png,Which?,x,w,x,y,z,B"'], "line 3: .* joins lines 3 to 5"),
        ([ROW, 'f.png,"Which, one?,x,w,x,y,z,B', 'f.png,Which",x,w,x,y,z,B'], "line 3: .* joins lines 3 to 4"),
        ([ROW, 'f.png,"Which?,x,w,x,y,z,B', 'f.png,"Which?",x,w,x,y,z,B'], "line 3: a cell goes on behind its closing"),
        # goes on behind its end
        (
            [ROW, 'f.png,"Which" one?,x,w,x,y,z,B', ROW],
            "line 3: a cell goes on behind its closing quotation mark .*line 3",
        ),
    ],
)
def test_a_quotation_mark_swallows_no_row(tmp_path: Path, rows: list[str], fault: str, on_bad: OnBad) -> None:
    with pytest.raises(DatasetError, match=rf"questions\.csv: {fault}"):
        read_pmc_vqa(written(tmp_path, *rows), on_bad=on_bad)


def test_quotation_marks_that_are_meant_are_read(tmp_path: Path) -> None:
    rows = ['f.png,"A 5"" lesion,\nor two, or three: which?",x,w,x,y,z,B', 'f.png,A 5" lesion,x,w,x,y,z,B', ROW]
    texts = [question.text for question in read_pmc_vqa(written(tmp_path, *rows)).questions]
    assert texts == ['A 5" lesion,\nor two, or three: which?', 'A 5" lesion', "What is seen?"]


def test_two_options_of_one_text_are_reported(tmp_path: Path) -> None:
    rows = ("f.png,Which?,x,w,x,X.,z,B", "f.png,What?,w,w,x,x,z,A", ROW)
    assert read_pmc_vqa(written(tmp_path, *rows)).notes == {
        "two options have the same text, which is the right one: the letter alone decides": 1,
        "two options have the same text": 1,
    }


def test_ids_are_unique_and_do_not_depend_on_the_place_in_the_file(tmp_path: Path) -> None:
    other = ROW.replace("What is seen?", "What else?")
    first = {question.text: question.id for question in read_pmc_vqa(written(tmp_path, ROW, other)).questions}
    second = {question.text: question.id for question in read_pmc_vqa(written(tmp_path, other, ROW)).questions}
    assert first == second
    assert len(set(first.values())) == 2
    twice = read_pmc_vqa(written(tmp_path, ROW, ROW)).questions
    assert [question.id.removeprefix(first["What is seen?"]) for question in twice] == ["", ".2"]


def test_a_draw_is_repeatable_and_in_the_files_order(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"f.png,Which {i}?,x,w,x,y,z,B" for i in range(100)))
    whole = [question.id for question in read_pmc_vqa(path).questions]
    drawn = [question.id for question in read_pmc_vqa(path, limit=20, seed=42).questions]
    assert drawn == [question.id for question in read_pmc_vqa(path, limit=20, seed=42).questions]
    assert drawn != [question.id for question in read_pmc_vqa(path, limit=20, seed=43).questions]
    expected = sorted(np.random.default_rng(42).permutation(100)[:20])
    assert drawn == [whole[index] for index in expected]


def test_a_draw_passes_over_missing_pictures_to_the_number_asked_for(tmp_path: Path) -> None:
    rows = [f"{'f' if i % 2 else 'gone'}.png,Which {i}?,x,w,x,y,z,B" for i in range(40)]
    path = written(tmp_path, *rows)
    assert len(read_pmc_vqa(path, limit=15, on_bad="skip").questions) == 15
    assert len(read_pmc_vqa(path, limit=39, on_bad="skip").questions) == 20


def test_the_fingerprint_follows_the_content_and_not_the_folder(tmp_path: Path) -> None:
    here = read_pmc_vqa(written(tmp_path / "a", ROW)).fingerprint
    assert here == read_pmc_vqa(written(tmp_path / "b", ROW)).fingerprint
    assert here != read_pmc_vqa(written(tmp_path / "c", ROW.removesuffix("B") + "B", ROW)).fingerprint
    picture(tmp_path / "b" / "images", size=(64, 64))
    assert here != read_pmc_vqa(tmp_path / "b" / "questions.csv").fingerprint


def test_phantoms_are_read_with_their_groups(tmp_path: Path) -> None:
    table = generate(tmp_path / "phantoms", 6, 3, "test")
    dataset = load_dataset(table)
    assert dataset.name == "phantoms"
    assert len(dataset.questions) == 6
    for question in dataset.questions:
        assert set(question.groups) == {"modality", "family", "difficulty"}
        assert len(question.options) == 4
        assert question.answer in question.options
        assert question.image is not None
        assert question.image.is_file()
    assert load_dataset(tmp_path / "phantoms").fingerprint == dataset.fingerprint


def test_a_large_file_loads_in_seconds(tmp_path: Path) -> None:
    path = written(tmp_path)
    with path.open("a", newline="") as stream:
        writer = csv.writer(stream)
        for i in range(40_000):
            writer.writerow(
                ["f.png", f"What is seen, case {i}?", "Lung", "A:Heart", "B:Lung", "C:Liver", "D:Brain", "B"]
            )
    started = time.process_time()
    assert len(read_pmc_vqa(path).questions) == 40_000
    assert time.process_time() - started < 10  # of processor time, which a busy machine does not stretch


def blank_free(text: str) -> bool:
    """Whether a cell has neither outer blanks nor a label of its own, so that reading must give it back."""
    return text == text.strip(" \t\r\n\f\v\u00a0\u2009\u200a\u200b\u202f\ufeff") != "" and not text.startswith(":")


cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20).filter(
    blank_free
)


@settings(max_examples=60, deadline=None)
@given(st.lists(cell, min_size=5, max_size=5))
def test_any_text_survives_the_format(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = written(folder)
    with path.open("a", newline="", encoding="utf-8") as stream:
        labelled = [f"{letter}: {text}" for letter, text in zip("ABCD", cells[1:], strict=True)]
        csv.writer(stream).writerow(["f.png", cells[0], labelled[2], *labelled, "C"])
    [question] = load_dataset(path).questions
    assert question.text == cells[0]
    assert list(question.options.values()) == cells[1:]
    assert question.answer == "C"
