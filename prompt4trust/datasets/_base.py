"""Parts that all dataset readers share: the result, and the treatment of bad rows and of pictures."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from prompt4trust.errors import DatasetError, UnreadablePictureError
from prompt4trust.options.letters import bears_another_letter
from prompt4trust.picture_files import picture_size
from prompt4trust.questions import Question

OnBad = Literal["error", "skip"]
"""Treatment of a row that cannot be used: refuse the file, or leave the row out and count it."""

BLANKS = " \t\r\n\f\v\u00a0\u2009\u200a\u200b\u202f\ufeff"
"""Blanks around cells; str.strip leaves some of those behind: zero-width ones, and a byte order mark."""

SAME_TEXT = "two options have the same text"
SAME_AND_RIGHT = "two options have the same text, which is the right one: the letter alone decides"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Source:
    """Origin of questions, so that a report can look them up again.

    Attributes:
        path: The question file.
        images: Folder of the pictures, or None where it was found beside the file.
        kind: The file's format.
        cop_base: Number that the first option counts as, where that was told.
        columns: Which columns hold what, where that was told.
    """

    path: str
    images: str | None = None
    kind: str | None = None
    cop_base: int | None = None
    columns: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The questions of one file, and the rows that were left out.

    Attributes:
        name: Short name for reports and artifacts.
        questions: The usable questions, in the file's order.
        skipped: Reason for leaving rows out -> their number.
        notes: Remark for a reader of the figures -> number of rows that it concerns.
        source: Their origin, or None where they were made.
        judge: Says which answers to open questions are right; None where nothing does.
    """

    name: str
    questions: tuple[Question, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    source: Source | None = None
    judge: str | None = None

    def judged_by(self, judge: str, *, limit: int | None = None, seed: int = 42) -> Dataset:
        """Keep the open questions that a judge can say something of: those with an expected text.

        Multiple choice has evidence of its own, so that the two are never in one figure.

        Args:
            judge: Name of the judge.
            limit: Draw this many of them, or None for all.
            seed: Seed of the draw.
        """
        kept = [each for each in self.questions if not each.options and each.open_answer]
        if limit is not None:
            drawn = np.random.default_rng(seed).permutation(len(kept))[:limit]
            kept = [kept[place] for place in sorted(drawn.tolist())]
        return replace(self, questions=tuple(kept), judge=judge)

    @property
    def fingerprint(self) -> str:
        """Hash of what is asked: see `fingerprint`."""
        return fingerprint(self.questions)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        line: Line of the file on which the row ends or stands, from 1; of an array or a table the row's number.
        reason: Kind of fault, a few words, the same for all rows with that fault.
        detail: The value found in this row.
        meant: Whether the row is as it should be and only not asked for, such as one in another language.
    """

    line: int
    reason: str
    detail: str = ""
    meant: bool = False

    def told(self, unit: str) -> str:
        """Write for a person, with the unit that rows are counted in."""
        return f"{unit} {self.line}: {self.reason}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Row:
    """A usable row and the line on which it stands; notes are remarks that do not make it unusable."""

    line: int
    question: Question
    notes: tuple[str, ...] = ()


def fingerprint(questions: Iterable[Question]) -> str:
    """Hash what is asked: ids, texts, options, truths, and the names and sizes of the pictures.

    Args:
        questions: The questions, in order.

    Returns:
        The SHA-256 as 64 hexadecimal digits. It does not depend on where the files lie.
    """
    digest = hashlib.sha256()
    for question in questions:
        image = question.image
        size = image.stat().st_size if image is not None and image.is_file() else None
        picture = None if image is None else (image.name, size)
        row: tuple[object, ...] = (question.id, question.text, [*question.options.items()], question.answer, picture)
        if question.open_answer is not None:
            row = (*row, question.open_answer)
        digest.update(json.dumps(row, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()


def content_id(*parts: str) -> str:
    """Twelve hexadecimal digits that name a row by its content, whatever its place in the file."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:12]


def collect(
    path: Path,
    name: str,
    rows: Iterable[Row | BadRow],
    *,
    on_bad: OnBad,
    limit: int | None,
    seed: int,
    min_side: int | None,
    unit: str = "line",
) -> Dataset:
    """Draw, check and list the rows of a file.

    The draw comes first and pictures are looked at only as they are drawn, so that 100 questions of 150 000 do not
    cost 150 000 file accesses: rows are taken in an order permuted by the seed until enough are usable.

    Args:
        path: The file, for messages.
        name: The dataset's name.
        rows: Every row of the file, in order.
        on_bad: Refuse the file or leave bad rows out.
        limit: Number of questions to draw, or None for all.
        seed: Seed of the draw.
        min_side: Leave out questions whose picture does not open or is smaller than this on a side, in pixels.
        unit: What the rows are counted in, for messages.

    Returns:
        The questions in the file's order.

    Raises:
        DatasetError: If there are bad rows (with on_bad "error"), no question at all, or two rows with the same id.
    """
    if limit is not None and limit < 1:
        raise ValueError("limit must be at least 1")
    good: list[Row] = []
    bad: list[BadRow] = []
    small: Counter[str] = Counter()
    for row in rows:
        checked = _other_letters(row) or row if isinstance(row, Row) else row
        if isinstance(checked, Row):
            good.append(checked)
        elif checked.meant:
            small[checked.reason] += 1
        else:
            bad.append(checked)
    refuse = on_bad == "error"
    if refuse and bad:
        raise _refusal(path, bad, unit)

    _check_ids(path, good, unit)
    order = range(len(good)) if limit is None else np.random.default_rng(seed).permutation(len(good)).tolist()
    chosen: list[int] = []
    for index in order:
        if limit is not None and len(chosen) == limit:
            break
        row = good[index]
        fault, filtered = _picture_fault(row, min_side)
        if fault is None:
            chosen.append(index)
        elif filtered:
            small[fault.reason] += 1
        else:
            bad.append(fault)
    if refuse and bad:
        raise _refusal(path, bad, unit)
    skipped = Counter(row.reason for row in bad) + small
    if not chosen:
        why = ", ".join(f"{count} x {reason}" for reason, count in skipped.items())
        raise DatasetError(f"{path}: no usable question" + (f" ({why})" if why else ""))
    picked = [good[index] for index in sorted(chosen)]
    notes = Counter(note for row in picked for note in row.notes)
    return Dataset(name, tuple(row.question for row in picked), dict(skipped), dict(notes))


def numbered(row: Row, repeats: Counter[str]) -> Row:
    """Add a number to the id of the second of two rows with one id."""
    name = row.question.id
    repeats[name] += 1
    if repeats[name] == 1:
        return row
    return replace(row, question=replace(row.question, id=f"{name}.{repeats[name]}"))


def plain_text(value: object) -> str:
    """Read a field as text; numbers are texts too ("opa": 5), truth values and what is nested are not.

    NaN is none: pandas and JSON written by Python have it where there is no value.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return str(value).strip(BLANKS)


def comparable(text: str) -> str:
    """Reduce a text to what two writings of one answer have in common: case, blanks and a last full stop aside."""
    return " ".join(text.strip(BLANKS).split()).rstrip(".").casefold()


def remarks_on(options: Mapping[str, str], answer: str | None) -> tuple[str, ...]:
    """List what a reader of figures must know of a question's options."""
    texts = [comparable(text) for text in options.values()]
    if len(set(texts)) == len(texts):
        return ()
    doubtful = answer is not None and texts.count(comparable(options[answer])) > 1
    return (SAME_AND_RIGHT if doubtful else SAME_TEXT,)


def _other_letters(row: Row) -> BadRow | None:
    """Find the fault of options that bear each other's letters: an answer by letter could mean either."""
    options = row.question.options
    return letters_out_of_order(row.line, [*options.values()]) if bears_another_letter(options) else None


def letters_out_of_order(line: int, texts: Sequence[str]) -> BadRow:
    """Make the fault of options whose own letters are not in order."""
    detail = f"{[*texts]!r}: put them in order, or take the letters away"
    return BadRow(line, "the options bear letters that are not in order", detail)


def _check_ids(path: Path, rows: list[Row], unit: str) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        first = seen.setdefault(row.question.id, row.line)
        if first != row.line:
            raise DatasetError(
                f"{path}: {unit}s {first} and {row.line} have the same id {row.question.id!r}: is a question in the "
                "file twice? Take one of the two out"
            )


def _picture_fault(row: Row, min_side: int | None) -> tuple[BadRow | None, bool]:
    """Find the fault of a row's picture, and whether it is the filter's rather than the file's."""
    image = row.question.image
    if image is None:
        return None, False
    if not image.is_file():
        return BadRow(row.line, "image not found", str(image)), False
    if min_side is None:
        return None, False
    try:
        width, height = picture_size(image)
    except UnreadablePictureError:
        return BadRow(row.line, "image does not open", str(image)), True
    if min(width, height) < min_side:
        return BadRow(row.line, f"image under {min_side} px", f"{width} x {height}"), True
    return None, False


def _refusal(path: Path, bad: list[BadRow], unit: str) -> DatasetError:
    bad = sorted(bad, key=lambda row: row.line)
    shown = "".join(f"\n  {row.told(unit)}" for row in bad[:_SHOWN])
    more = f"\n  ... and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return DatasetError(
        f"{path}: {len(bad)} row(s) cannot be used:{shown}{more}\nCorrect them, or leave them out and count them "
        "(--skip-bad; on_bad: skip)"
    )
