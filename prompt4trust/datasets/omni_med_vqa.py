"""Reader for OmniMedVQA (Hu et al., CVPR 2024, arXiv 2402.09181).

A JSON array a source below QA_information, with question_id, dataset, question_type, modality_type, question, option_A
to option_D (fewer in some), gt_answer (the right option's text) and image_path ("Images/..."), which counts from the
folder that holds Images and QA_information.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import ascii_uppercase
from types import MappingProxyType

from prompt4trust.datasets._base import (
    BadRow,
    Row,
    comparable,
    content_id,
    plain_text,
    remarks_on,
)
from prompt4trust.datasets._pictures import folder_around, locate
from prompt4trust.datasets.tables.table_files import Entry, entries, numbered_rows
from prompt4trust.questions import MIN_OPTIONS, Question

_GROUPS = {"dataset": ("dataset",), "question_type": ("question_type",), "modality": ("modality_type", "modality")}


def omni_med_vqa_rows(path: Path, images: Path | None) -> tuple[str, Iterator[Row | BadRow]]:
    """Read the rows of a file, and what they are counted in; `images` is the folder that holds Images."""
    found = entries(path)
    folder = images if images is not None else folder_around(path, "QA_information")
    return found.unit, numbered_rows(found.rows, lambda entry: _row(entry, folder))


def _row(entry: Entry, folder: Path) -> Row | BadRow:
    values = entry.values
    fields = {name: plain_text(values.get(name)) for name in ("question", "gt_answer", "image_path")}
    if absent := [name for name, value in fields.items() if not value]:
        return BadRow(entry.line, "missing or empty field", ", ".join(absent))
    options = {each: plain_text(values.get(f"option_{each}")) for each in ascii_uppercase}
    while options and not options[last := max(options)]:
        del options[last]
    if len(options) < MIN_OPTIONS or not all(options.values()):
        return BadRow(entry.line, "empty option", ", ".join(each for each, text in options.items() if not text))
    answer = letter_of(fields["gt_answer"], options)
    if answer is None:
        return BadRow(entry.line, "gt_answer is the text of no option, or of several", repr(fields["gt_answer"]))
    picture = locate(entry.line, fields["image_path"], folder)
    if isinstance(picture, BadRow):
        return picture
    groups = {
        group: value
        for group, names in _GROUPS.items()
        if (value := next((text for name in names if (text := plain_text(values.get(name)))), ""))
    }
    text = fields["question"]
    name = plain_text(values.get("question_id")) or content_id(fields["image_path"], text, *options.values())
    question = Question(name, text, MappingProxyType(options), answer, picture, MappingProxyType(groups))
    return Row(entry.line, question, remarks_on(options, answer))


def letter_of(answer: str, options: dict[str, str]) -> str | None:
    """Find the one option with a text: as it is written, else case, blanks and a last full stop aside."""
    exact = [letter for letter, text in options.items() if text == answer]
    alike = [letter for letter, text in options.items() if comparable(text) == comparable(answer)]
    found = exact if len(exact) == 1 else alike
    return found[0] if len(found) == 1 else None
