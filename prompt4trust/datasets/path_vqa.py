"""Reader for PathVQA (He et al. 2020, arXiv 2003.10286), and for tables of the same three fields.

The hub's files (flaviagiammarino/path-vqa, and vqa-rad of the same maker) are parquet: image with its bytes, question,
answer. The authors' own are pickles of lists of the same fields, image being a name without an ending ("train_0422");
a pickle is not read, but the list as JSON is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prompt4trust.datasets._base import BadRow, Row, content_id, numbered, plain_text
from prompt4trust.datasets._pictures import picture_folder, placed
from prompt4trust.datasets._yes_no import yes_no_or_open
from prompt4trust.datasets.tables.table_files import Entry, entries

_SPLITS = ("train", "val", "test")


def path_vqa_rows(path: Path, images: Path | None) -> tuple[str, Iterator[Row | BadRow]]:
    """Read the rows of a file, and what they are counted in.

    Pictures lie in `images` beside the file by default, in folders named after the splits or in none; those that a
    table carries are written to a folder beside it, or to `images` where it is given.
    """
    found = entries(path)
    folder = images if images is not None else picture_folder(path, "images")
    carried = images if images is not None else path.with_name(f"{path.stem}-images")

    def rows() -> Iterator[Row | BadRow]:
        repeats: Counter[str] = Counter()
        for each in found.rows:
            row = each if isinstance(each, BadRow) else _row(each, folder, carried)
            yield row if isinstance(row, BadRow) else numbered(row, repeats)

    return found.unit, rows()


def _row(entry: Entry, folder: Path, carried: Path) -> Row | BadRow:
    text, answer = plain_text(entry.values.get("question")), plain_text(entry.values.get("answer"))
    image = entry.values.get("image")
    given = {"question": text, "answer": answer, "image": image}
    if absent := [name for name, value in given.items() if not value]:
        return BadRow(entry.line, "missing or empty field", ", ".join(absent))
    picture = placed(entry.line, image, folder, carried, _SPLITS)
    if isinstance(picture, BadRow):
        return picture
    name = f"{picture.stem}-{content_id(image if isinstance(image, str) else picture.stem, text, answer)}"
    return yes_no_or_open(entry.line, name, text, answer, closed=None, image=picture, groups={})
