"""Reader for PMC-VQA's CSV format, in which the synthetic benchmark is written too.

Source: Zhang et al. 2023, arXiv 2305.10415; hub RadGenome/PMC-VQA. Files of the wild that are read: a byte order mark,
headers in other case or spelt "Anwser", choices that repeat their letter ("A: Lung") or carry blanks, quoted commas and
line breaks, and the later files without Answer_label whose Answer is the letter itself.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from string import ascii_uppercase
from types import MappingProxyType

from prompt4trust.datasets._base import BadRow, Dataset, OnBad, Row, collect, content_id, numbered_lines
from prompt4trust.errors import DatasetError
from prompt4trust.questions import MIN_OPTIONS, Question

GROUP_COLUMNS = ("modality", "family", "difficulty")
"""Columns beyond PMC-VQA's own that become a question's groups."""

LABEL_PREFERRED = "Answer matches no choice; Answer_label was taken"

# What str.strip leaves behind in these files: narrow and zero-width blanks, and a byte order mark inside a cell.
_BLANKS = " \t\r\n\f\v\u00a0\u2009\u200a\u200b\u202f\ufeff"
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
    folder = images if images is not None else _image_folder(path)
    name = path.parent.name if path.stem == "questions" and path.parent.name else path.stem
    return collect(path, name, _rows(path, folder), on_bad=on_bad, limit=limit, seed=seed, min_side=min_side)


def _image_folder(path: Path) -> Path:
    beside = path.parent / "images"
    return beside if beside.is_dir() else path.parent


def _rows(path: Path, folder: Path) -> Iterator[Row | BadRow]:
    reader = csv.reader(line for _, line in numbered_lines(path))
    try:
        header = next(reader, None)
        if header is None:
            raise DatasetError(f"{path}: the file is empty")
        columns = _columns(path, header)
        choices = [
            (letter, columns[key]) for letter in ascii_uppercase if (key := f"choice {letter.lower()}") in columns
        ]
        repeats: Counter[str] = Counter()
        for cells in reader:
            if not any(cell.strip(_BLANKS) for cell in cells):
                continue
            if len(cells) != len(header):
                yield BadRow(reader.line_num, f"row does not have {len(header)} cells", f"it has {len(cells)}")
                continue
            row = _row(reader.line_num, cells, columns, choices, folder)
            yield row if isinstance(row, BadRow) else _numbered(row, repeats)
    except csv.Error as error:
        raise DatasetError(f"{path}: line {reader.line_num}: not readable as CSV ({error})") from error


def _columns(path: Path, header: list[str]) -> Mapping[str, int]:
    columns: dict[str, int] = {}
    for index, title in enumerate(header):
        key = re.sub(r"\s+", " ", title.strip(_BLANKS)).lower()
        key = re.sub(r"^choice[_ ]?([a-z])$", r"choice \1", key.replace("figure path", "figure_path"))
        columns.setdefault(_HEADERS.get(key, key.replace("answer label", "answer_label")), index)
    missing = [title for title in ("figure_path", "question", "choice a", "choice b") if title not in columns]
    if not {"answer", "answer_label"} & columns.keys():
        missing.append("answer_label")
    if missing:
        raise DatasetError(f"{path}: not a PMC-VQA file: no column {', '.join(missing)} among {', '.join(header)}")
    return columns


def _row(
    line: int, cells: list[str], columns: Mapping[str, int], choices: list[tuple[str, int]], folder: Path
) -> Row | BadRow:
    def cell(title: str) -> str:
        return cells[columns[title]].strip(_BLANKS) if title in columns else ""

    text, figure = cell("question"), cell("figure_path")
    if not text:
        return BadRow(line, "empty question")
    if not figure:
        return BadRow(line, "empty Figure_path")
    figure_path = PurePosixPath(figure.replace("\\", "/"))
    if figure_path.is_absolute() or ".." in figure_path.parts:
        # A question file comes from elsewhere and its pictures go to a server: it may not name any file it likes.
        return BadRow(line, "Figure_path leads out of the image folder", figure)

    options = {letter: _choice(letter, cells[index]) for letter, index in choices}
    while options and not options[last := max(options)]:
        del options[last]
    if len(options) < MIN_OPTIONS or not all(options.values()):
        return BadRow(line, "empty choice", ", ".join(letter for letter, choice in options.items() if not choice))

    answer, note = _truth(options, cell("answer_label"), cell("answer"))
    if answer is None:
        return BadRow(line, note, f"Answer_label {cell('answer_label')!r}, Answer {cell('answer')!r}")
    groups = {title: value for title in GROUP_COLUMNS if (value := cell(title))}
    name = f"{figure_path.stem}-{content_id(figure, text, *options.values())}"
    question = Question(name, text, MappingProxyType(options), answer, folder / figure_path, MappingProxyType(groups))
    return Row(line, question, (note,) if note else ())


def _numbered(row: Row, repeats: Counter[str]) -> Row:
    """Add a number to the id of the second of two identical rows."""
    question = row.question
    repeats[question.id] += 1
    count = repeats[question.id]
    if count == 1:
        return row
    name = f"{question.id}.{count}"
    again = Question(name, question.text, question.options, question.answer, question.image, question.groups)
    return Row(row.line, again, row.notes)


def _choice(letter: str, cell: str) -> str:
    # Only the choice's own letter and a colon is a label: "A: Lung" in Choice A, but not "A. baumannii".
    text = cell.strip(_BLANKS)
    if text[:1].upper() != letter:
        return text
    label, colon, rest = text.partition(":")
    return rest.strip(_BLANKS) if colon and len(label.rstrip(_BLANKS)) == 1 else text


def _truth(options: Mapping[str, str], label: str, answer: str) -> tuple[str | None, str]:
    """Find the right letter and a note, or None and the fault."""
    named = label.rstrip(".:) ").upper()
    if label and named not in options:
        return None, "Answer_label is none of the choices"
    if named and answer == options[named]:
        return named, ""
    wanted = {_plain(answer)} | {_plain(_choice(letter, answer)) for letter in options}
    texts = [letter for letter, choice in options.items() if answer and _plain(choice) in wanted]
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


def _plain(text: str) -> str:
    return " ".join(text.strip(_BLANKS).split()).rstrip(".").casefold()
