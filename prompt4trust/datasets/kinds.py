"""Formats of question files: which there are, how one is told from another, and the reading of any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from prompt4trust.datasets._base import BadRow, Dataset, OnBad, Row, Source, collect
from prompt4trust.datasets._option_numbers import CopBase
from prompt4trust.datasets._pictures import picture_folder
from prompt4trust.datasets.columns import column_rows
from prompt4trust.datasets.medmcqa import medmcqa_rows
from prompt4trust.datasets.omni_med_vqa import omni_med_vqa_rows
from prompt4trust.datasets.path_vqa import path_vqa_rows
from prompt4trust.datasets.pmc_vqa import is_pmc_vqa, pmc_vqa_rows
from prompt4trust.datasets.slake import slake_rows
from prompt4trust.datasets.tables.table_files import Entry, entries
from prompt4trust.datasets.vqa_rad import vqa_rad_rows
from prompt4trust.errors import DatasetError

Kind = Literal["pmc-vqa", "medmcqa", "vqa-rad", "slake", "path-vqa", "omnimedvqa", "columns"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Formats that are read; columns: any table, by the names of its columns."""

_FOLDER_FILES = ("questions.csv", "questions.jsonl")
_TELLING: Mapping[Kind, tuple[frozenset[str], ...]] = {
    "medmcqa": (frozenset({"question", "opa", "opb"}),),
    "slake": (frozenset({"img_name", "question", "answer", "q_lang"}),),
    "vqa-rad": (
        frozenset({"image_name", "question", "answer", "answer_type"}),
        frozenset({"image", "question", "answer", "answer_type", "question_type"}),
    ),
    "omnimedvqa": (frozenset({"question", "gt_answer", "option_A", "image_path"}),),
}
_THREE = frozenset({"image", "question", "answer"})
_BESIDE = frozenset({"id", "qid", "split"})


def load_dataset(
    path: Path,
    kind: Kind | None = None,
    *,
    images: Path | None = None,
    on_bad: OnBad = "error",
    limit: int | None = None,
    seed: int = 42,
    min_side: int | None = None,
    columns: Mapping[str, str] | None = None,
    cop_base: CopBase | None = None,
) -> Dataset:
    r"""Read a question file of any known kind.

    Args:
        path: The file, or a folder that holds questions.csv or questions.jsonl.
        kind: The file's format, or None to tell by the fields of its rows.
        images: Folder of the pictures; by default found beside the file.
        on_bad: "error" refuses a file with bad rows and lists the first few; "skip" leaves them out and counts them.
        limit: Draw this many usable questions, or None for all.
        seed: Seed of the draw.
        min_side: Leave out questions whose picture does not open or is smaller on a side, in pixels.
        columns: Meaning (question, options, answer, image, id, group) -> the column that has it, several with +
            between, for a table of a format of its own.
        cop_base: Number of the first option, where right options are given as numbers and the file does not show
            whether it counts from 0 or from 1.

    Returns:
        The questions, and what was left out.

    Raises:
        DatasetError: If there is no such file, or it cannot be used.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "mine.csv")
        ...     _ = path.write_text("asked,left,right,truth\nWhich side is up?,Top,Bottom,Top\n", encoding="utf-8")
        ...     columns = {"question": "asked", "options": "left+right", "answer": "truth"}
        ...     [question] = load_dataset(path, columns=columns).questions
        >>> question.options["A"], question.answer
        ('Top', 'A')
    """
    if path.is_dir():
        path = next((path / name for name in _FOLDER_FILES if (path / name).is_file()), path / _FOLDER_FILES[0])
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    if columns is not None and kind not in (None, "columns"):
        raise DatasetError(
            f"{path}: columns are named for tables of another format than {kind}: leave one of the two out"
        )
    known: Kind = kind or ("columns" if columns is not None else _kind(path))
    if cop_base is not None and known not in ("medmcqa", "columns"):
        raise DatasetError(f"{path}: the format {known} gives no right option as a number: leave --cop-base out")
    unit, rows = _rows(path, known, images, columns, cop_base)
    name = path.parent.name if path.stem == "questions" and path.parent.name else path.stem
    dataset = collect(path, name, rows, on_bad=on_bad, limit=limit, seed=seed, min_side=min_side, unit=unit)
    folder = None if images is None else str(images.absolute())
    source = Source(str(path.absolute()), folder, known, cop_base, None if columns is None else dict(columns))
    return replace(dataset, source=source)


def _rows(
    path: Path, kind: Kind, images: Path | None, columns: Mapping[str, str] | None, cop_base: CopBase | None
) -> tuple[str, Iterator[Row | BadRow]]:
    match kind:
        case "medmcqa":
            return medmcqa_rows(path, cop_base)
        case "vqa-rad":
            return vqa_rad_rows(path, images)
        case "slake":
            return slake_rows(path, images)
        case "path-vqa":
            return path_vqa_rows(path, images)
        case "omnimedvqa":
            return omni_med_vqa_rows(path, images)
        case "columns":
            if columns is None:
                raise DatasetError(
                    f"{path}: which columns hold what? Say --columns question=...,options=...,answer=..."
                )
            return column_rows(path, columns, images, cop_base)
        case "pmc-vqa":
            return pmc_vqa_rows(path, images if images is not None else picture_folder(path, "images"))


def _kind(path: Path) -> Kind:
    """Recognise a format by the fields of the first row."""
    found = entries(path)
    first = next((each for each in found.rows if isinstance(each, Entry)), None)
    fields = frozenset(found.header if first is None else first.values)
    for kind, telling in _TELLING.items():
        if any(names <= fields for names in telling):
            return kind
    if fields >= _THREE and fields <= _THREE | _BESIDE:
        return "path-vqa"
    if is_pmc_vqa(fields):
        return "pmc-vqa"
    there = ", ".join(sorted(fields)) or "none"
    raise DatasetError(
        f"{path}: its format is not known by its fields ({there}): name it with --format {'|'.join(KINDS)}, or say "
        "with --columns question=...,options=...,answer=...,image=... what is where"
    )
