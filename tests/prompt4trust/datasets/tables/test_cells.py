"""Cells as R, pandas and databases write them."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prompt4trust.datasets import DatasetError, load_dataset

COLUMNS = {"question": "q", "options": "a+b+c", "answer": "truth"}
ROW = {"q": "Which?", "a": "x", "b": "y", "c": "z", "truth": "y"}


def refused(path: Path, columns: dict[str, str] = COLUMNS) -> str:
    with pytest.raises(DatasetError) as error:
        load_dataset(path, columns=columns)
    return str(error.value)


@pytest.mark.parametrize("sign", ["NA", "<NA>", "#N/A", "NaN", "nan", "NaT", "NULL", "null"])
@pytest.mark.parametrize(("column", "what"), [("c", "an option"), ("truth", "the answer"), ("q", "the question")])
def test_the_sign_of_a_missing_value_is_no_word_of_anybody(tmp_path: Path, sign: str, column: str, what: str) -> None:
    path = tmp_path / "r.csv"
    rows = [[*ROW], [*{**ROW, column: sign}.values()]]
    path.write_text("\n".join(",".join(row) for row in rows) + "\n", encoding="utf-8")
    assert f"line 2: {what} may be a missing value" in refused(path)
    path.write_text(path.read_text(encoding="utf-8").replace(f",{sign}", ","), encoding="utf-8")
    if column == "c":
        [question] = load_dataset(path, columns=COLUMNS).questions
        assert (dict(question.options), question.answer) == ({"A": "x", "B": "y"}, "B")


def test_a_list_of_options_with_a_missing_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"q": "Which?", "o": ["x", "NA"], "truth": "x"}) + "\n", encoding="utf-8")
    assert "an option may be a missing value" in refused(path, {**COLUMNS, "options": "o"})


@pytest.mark.parametrize("text", ["None", "none", "N/A", "no", "0"])
def test_words_that_people_offer_stay_options(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**ROW, "c": text}) + "\n", encoding="utf-8")
    [question] = load_dataset(path, columns=COLUMNS).questions
    assert question.options["C"] == text


@pytest.mark.parametrize("value", [True, Decimal("1.5"), datetime.date(2026, 5, 1), b"x", {"k": "v"}])
@pytest.mark.parametrize(("column", "what"), [("c", "an option"), ("truth", "the answer"), ("q", "the question")])
def test_what_is_no_text_is_not_lost_unseen(tmp_path: Path, value: Any, column: str, what: str) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.Table.from_pylist([{**ROW, column: value}]), path)
    assert f"{what} is neither a text nor a number" in refused(path)


def test_a_table_that_pandas_wrote_by_columns_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({name: {"0": value} for name, value in ROW.items()}), encoding="utf-8")
    assert "the question is neither a text nor a number ({'0': 'Which?'})" in refused(path)
