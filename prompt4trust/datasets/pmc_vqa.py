"""Reader for PMC-VQA's CSV format, in which the synthetic benchmark is written too.

Source: Zhang et al. 2023, arXiv 2305.10415; hub RadGenome/PMC-VQA. Files of the wild that are read: the same columns as
JSON or parquet, a byte order mark, headers in other case or spelt "Anwser", choices that repeat their letter
("A: Lung") or carry blanks, quoted commas and line breaks, and the later files without Answer_label whose Answer is the
letter itself. A quotation mark that is not closed, or closed by one of another row, is refused: rows would be lost in
between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from string import ascii_uppercase
from types import MappingProxyType

from prompt4trust.datasets._base import (
    BLANKS,
    BadRow,
    Dataset,
    OnBad,
    Row,
    collect,
    comparable,
    content_id,
    plain_text,
    remarks_on,
)
from prompt4trust.datasets._pictures import locate, picture_folder
from prompt4trust.datasets.tables.table_files import Entry, entries, numbered_rows
from prompt4trust.errors import DatasetError
from prompt4trust.options.labels import without_own_letter
from prompt4trust.questions import MIN_OPTIONS, Question

GROUP_COLUMNS = ("modality", "family", "difficulty")
"""Columns beyond PMC-VQA's own that become a question's groups."""

LABEL_PREFERRED = "Answer matches no choice; Answer_label was taken"

_HEADERS = {"anwser": "answer", "anwser_label": "answer_label", "figurepath": "figure_path"}


def read_pmc_vqa(
    path: Path,
    images: Path | None = None,
    *,
    on_bad: OnBad = "error",
    limit: int | None = None,
    seed: int = 42,
    min_side: int | None = None,
) -> Dataset:
    r"""Read a CSV of multiple-choice questions about pictures.

    The truth is Answer_label. Where Answer is the text of *another* choice the row contradicts itself and is bad;
    where it is the text of none, the label is taken and the row counted in the result's notes. Without a label,
    Answer is a letter or a choice's text.

    Args:
        path: The CSV file.
        images: Folder of the pictures; by default `images` beside the file, else the file's own folder.
        on_bad: "error" refuses a file with bad rows and lists the first few; "skip" leaves them out and counts them.
        limit: Draw this many usable questions, or None for all.
        seed: Seed of the draw; the same seed draws the same questions.
        min_side: Leave out questions whose picture does not open or is smaller on a side, in pixels (the paper: 28).

    Returns:
        The questions in the file's order, ids made of the picture's name and the row's content.

    Raises:
        DatasetError: If the file, its header or (with on_bad "error") a row cannot be used.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> header = "Figure_path,Question,Choice A,Choice B,Answer_label"
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "test.csv")
        ...     _ = path.write_text(f"{header}\n1.png,Which side?,Left,Right,B\n")
        ...     _ = Path(folder, "1.png").touch()
        ...     [question] = read_pmc_vqa(path).questions
        >>> question.text, question.answer, question.image.name
        ('Which side?', 'B', '1.png')
    """
    folder = images if images is not None else picture_folder(path, "images")
    name = path.parent.name if path.stem == "questions" and path.parent.name else path.stem
    unit, rows = pmc_vqa_rows(path, folder)
    return collect(path, name, rows, on_bad=on_bad, limit=limit, seed=seed, min_side=min_side, unit=unit)


def is_pmc_vqa(fields: Iterable[str]) -> bool:
    """Whether a file with these columns is one of PMC-VQA's."""
    return {"figure_path", "question", "choice a"} <= {_key(each) for each in fields}


def pmc_vqa_rows(path: Path, folder: Path) -> tuple[str, Iterator[Row | BadRow]]:
    """Read the rows of a file whose pictures lie in a folder, and what they are counted in."""
    found = entries(path)
    is_checked = bool(found.header)
    if is_checked:
        _check_columns(path, found.header)

    def make(entry: Entry) -> Row | BadRow:
        nonlocal is_checked
        if not is_checked:  # an object behind the first that lacks a field is a fault of its own row
            _check_columns(path, entry.values)
            is_checked = True
        return _row(entry, folder)

    return found.unit, numbered_rows(found.rows, make)


@cache
def _key(title: str) -> str:
    """Spell a column's title as one of `_HEADERS`' values, "choice a" or its like; others in lower case."""
    key = re.sub(r"\s+", " ", title.strip(BLANKS)).lower()
    key = re.sub(r"^choice[_ ]?([a-z])$", r"choice \1", key.replace("figure path", "figure_path"))
    return _HEADERS.get(key, key.replace("answer label", "answer_label"))


def _check_columns(path: Path, titles: Iterable[str]) -> None:
    columns = {_key(title) for title in titles}
    missing = [title for title in ("figure_path", "question", "choice a", "choice b") if title not in columns]
    if not {"answer", "answer_label"} & columns:
        missing.append("answer_label")
    if missing:
        raise DatasetError(f"{path}: not a PMC-VQA file: no column {', '.join(missing)} among {', '.join(titles)}")


def _row(entry: Entry, folder: Path) -> Row | BadRow:
    line, cells = entry.line, {_key(title): plain_text(value) for title, value in [*entry.values.items()][::-1]}

    def cell(title: str) -> str:
        return cells.get(title, "")

    text, figure = cell("question"), cell("figure_path")
    if not text:
        return BadRow(line, "empty question")
    if not figure:
        return BadRow(line, "empty Figure_path")
    picture = locate(line, figure, folder)
    if isinstance(picture, BadRow):
        return picture

    options = {letter: _choice(letter, cell(f"choice {letter.lower()}")) for letter in ascii_uppercase}
    while options and not options[last := max(options)]:
        del options[last]
    if len(options) < MIN_OPTIONS or not all(options.values()):
        return BadRow(line, "empty choice", ", ".join(letter for letter, choice in options.items() if not choice))

    answer, note = _truth(options, cell("answer_label"), cell("answer"))
    if answer is None:
        return BadRow(line, note, f"Answer_label {cell('answer_label')!r}, Answer {cell('answer')!r}")
    groups = {title: value for title in GROUP_COLUMNS if (value := cell(title))}
    name = f"{picture.stem}-{content_id(figure, text, *options.values())}"
    question = Question(name, text, MappingProxyType(options), answer, picture, MappingProxyType(groups))
    return Row(line, question, ((note,) if note else ()) + remarks_on(options, answer))


def _choice(letter: str, cell: str) -> str:
    # Cell by cell: the published files repeat the letter in some rows and not in others.
    return without_own_letter(letter, cell.strip(BLANKS)).strip(BLANKS)


def _truth(options: Mapping[str, str], label: str, answer: str) -> tuple[str | None, str]:
    """Find the right letter and a note, or None and the fault."""
    named = label.rstrip(".:) ").upper()
    if label and named not in options:
        return None, "Answer_label is none of the choices"
    if named and answer == options[named]:
        return named, ""
    wanted = {comparable(answer)} | {comparable(_choice(letter, answer)) for letter in options}
    texts = [letter for letter, choice in options.items() if answer and comparable(choice) in wanted]
    if named:
        # A bare letter in Answer beside a label is the label again (or contradicts it), unless it is a choice's text.
        if not texts and answer.upper() in options:
            texts = [answer.upper()]
        if not answer or named in texts:
            return named, ""
        return (None, "Answer and Answer_label disagree") if texts else (named, LABEL_PREFERRED)
    if answer.rstrip(".:) ").upper() in options:
        return answer.rstrip(".:) ").upper(), ""
    if len(texts) == 1:
        return texts[0], ""
    return None, "no Answer_label, and Answer is the text of several choices" if texts else "no truth"
