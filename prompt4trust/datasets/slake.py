"""Reader for SLAKE, its English questions (Liu et al., ISBI 2021, arXiv 2102.09542; hub BoKelvin/SLAKE).

JSON arrays (train.json, validation.json, test.json) with qid, img_name ("xmlab1/source.jpg"), question, answer, q_lang,
answer_type, modality, location, content_type; pictures in `imgs` beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prompt4trust.datasets._base import BadRow, Row, content_id, plain_text
from prompt4trust.datasets._pictures import locate, picture_folder
from prompt4trust.datasets._yes_no import yes_no_or_open
from prompt4trust.datasets.tables.table_files import Entry, entries, numbered_rows

OTHER_LANGUAGE = "question in a language other than English"
_GROUPS = ("modality", "location", "content_type")


def slake_rows(path: Path, images: Path | None) -> tuple[str, Iterator[Row | BadRow]]:
    """Read the rows of a file, and what they are counted in; pictures lie in `imgs` beside it by default."""
    found = entries(path)
    folder = images if images is not None else picture_folder(path, "imgs", "images")
    return found.unit, numbered_rows(found.rows, lambda entry: _row(entry, folder))


def _row(entry: Entry, folder: Path) -> Row | BadRow:
    values = entry.values
    fields = {name: plain_text(values.get(name)) for name in ("img_name", "question", "answer", "q_lang")}
    if (language := fields["q_lang"].casefold()) and language != "en":
        return BadRow(entry.line, OTHER_LANGUAGE, language, meant=True)
    if absent := [name for name, value in fields.items() if not value]:
        return BadRow(entry.line, "missing or empty field", ", ".join(absent))
    kind = plain_text(values.get("answer_type")).casefold()
    if kind not in ("closed", "open"):
        return BadRow(entry.line, "answer_type is neither closed nor open", repr(values.get("answer_type")))
    picture = locate(entry.line, fields["img_name"], folder)
    if isinstance(picture, BadRow):
        return picture
    groups = {"answer_type": kind, **{name: plain_text(values.get(name)) for name in _GROUPS}}
    name = plain_text(values.get("qid")) or content_id(fields["img_name"], fields["question"], fields["answer"])
    text, answer = fields["question"], fields["answer"]
    return yes_no_or_open(entry.line, name, text, answer, closed=kind == "closed", image=picture, groups=groups)
