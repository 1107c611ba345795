"""Reader for VQA-RAD: questions by clinicians about radiology pictures (Lau et al., Scientific Data 5, 2018).

Two forms are read: the published JSON array (qid, image_name, image_organ, question, answer, answer_type,
question_type, phrase_type), and JSON lines with shorter names and a split (id, image, organ, ..., phrase, split).

The files list no options. A question has some where they are beyond doubt: yes and no, alternatives that the question
itself names ("CT or MRI?"), and the known values of modality, sequence, plane, organ and side. All others stay open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType

from prompt4trust.datasets._base import BadRow, Row, content_id, plain_text
from prompt4trust.datasets._pictures import picture_folder, placed
from prompt4trust.datasets._vqa_rad_choices import as_choice
from prompt4trust.datasets._yes_no import OPTIONS, yes_no_or_open
from prompt4trust.datasets.tables.table_files import Entry, entries, numbered_rows
from prompt4trust.questions import Question, letter_options

_FOLDERS = ("images", "VQA_RAD Image Folder")
_GROUPS = {
    "organ": ("image_organ", "organ"),
    "question_type": ("question_type",),
    "phrase": ("phrase_type", "phrase"),
    "split": ("split",),
}


def vqa_rad_rows(path: Path, images: Path | None) -> tuple[str, Iterator[Row | BadRow]]:
    """Read the rows of a file, and what they are counted in; pictures lie in a folder beside it by default."""
    found = entries(path)
    folder = images if images is not None else picture_folder(path, *_FOLDERS)
    carried = images if images is not None else path.with_name(f"{path.stem}-images")
    return found.unit, numbered_rows(found.rows, lambda entry: _row(entry, folder, carried))


def _row(entry: Entry, folder: Path, carried: Path) -> Row | BadRow:
    values = entry.values
    text, answer = plain_text(values.get("question")), plain_text(values.get("answer"))
    given = [values.get("image_name"), values.get("image")]
    image = next((each for each in given if plain_text(each) or (each and isinstance(each, bytes | dict | list))), None)
    fields = {"question": text, "answer": answer, "image_name": image is not None}
    if absent := [name for name, value in fields.items() if not value]:
        return BadRow(entry.line, "missing or empty field", ", ".join(absent))
    kind = plain_text(values.get("answer_type")).casefold()
    if kind not in ("closed", "open"):
        return BadRow(entry.line, "answer_type is neither closed nor open", repr(values.get("answer_type")))
    picture = placed(entry.line, image, folder, carried)
    if isinstance(picture, BadRow):
        return picture
    groups = {group: _first(entry, names) for group, names in _GROUPS.items()}
    groups["question_type"] = ", ".join(sorted(filter(None, map(str.strip, groups["question_type"].split(",")))))
    name = (
        plain_text(values.get("qid"))
        or plain_text(values.get("id"))
        or content_id(plain_text(image) or picture.stem, text, answer)
    )
    groups["answer_type"] = kind
    if (chosen := as_choice(text, answer, kind, groups["question_type"])) is None:
        return yes_no_or_open(entry.line, name, text, answer, closed=kind == "closed", image=picture, groups=groups)
    groups["kind"], options = chosen
    if options[0] in OPTIONS.values():
        return yes_no_or_open(entry.line, name, text, answer, closed=True, image=picture, groups=groups)
    return _chosen(entry.line, name, text, options, picture, groups)


def _chosen(line: int, name: str, text: str, options: tuple[str, ...], picture: Path, groups: Mapping[str, str]) -> Row:
    """Make the row of a question with options, whose order tells nothing: it is drawn from the question itself."""
    order = Random(f"{name} {text}").sample(options, len(options))  # noqa: S311 - an order, no secret
    kept = MappingProxyType({group: value for group, value in groups.items() if value})
    letters = letter_options(order)
    right = next(letter for letter, option in letters.items() if option == options[0])
    return Row(line, Question(name, text, MappingProxyType(letters), right, picture, kept))


def _first(entry: Entry, names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := plain_text(entry.values.get(name)))), "")
