"""A full report from a table of one's own: confidences, whether each answer was right, perhaps group and cluster."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from prompt4trust.datasets.tables.table_files import Entry, whole_table
from prompt4trust.errors import TableError
from prompt4trust.evaluation.figures import Report
from prompt4trust.evaluation.manifest import TableOrigin
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.evaluation.report import ReportedRun, compare_runs

_RIGHT = {"1": True, "true": True, "yes": True, "right": True, "correct": True, "1.0": True}
_WRONG = {"0": False, "false": False, "no": False, "wrong": False, "incorrect": False, "0.0": False}
_OUTCOMES: Mapping[str, bool] = {**_RIGHT, **_WRONG}
_SHOWN = 5
_NO_NAME = frozenset({"na", "nan", "<na>"})
_DECIMAL_COMMA = re.compile(r"[01],\d+")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Confidences and outcomes of answers.

    Attributes:
        name: Their name, for the report.
        confidence: Confidences in [0, 1].
        correct: Whether each answer was right.
        groups: The group of each, or None.
        clusters: What each belongs to, such as a picture or a patient, or None.
    """

    name: str
    confidence: Sequence[float]
    correct: Sequence[bool]
    groups: Sequence[str] | None = None
    clusters: Sequence[str] | None = None


def read_outcomes(path: Path) -> Outcomes:
    r"""Read a table with the columns confidence and correct, perhaps group, and perhaps cluster.

    Args:
        path: A CSV or TSV file, JSON lines, a JSON array or a parquet file.

    Returns:
        The table's columns; others are left aside.

    Raises:
        TableError: If a column is missing, a confidence is no number in [0, 1], or an outcome is none of true, false,
            1, 0, yes, no, right, wrong: the message names the file and the rows.
        DatasetError: If the file cannot be read at all.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "mine.csv")
        ...     _ = path.write_text("confidence,correct,group\n0.9,true,CT\n0.6,false,MRI\n", encoding="utf-8")
        ...     outcomes = read_outcomes(path)
        >>> outcomes.confidence, outcomes.correct, outcomes.groups
        ((0.9, 0.6), (True, False), ('CT', 'MRI'))
    """
    unit, header, rows = whole_table(path)
    names = {name.strip().casefold(): name for name in header}
    if len(names) < len(header):
        raise TableError(f"{path}: two columns differ in case alone ({', '.join(header)}): rename one")
    if missing := [name for name in ("confidence", "correct") if name not in names]:
        raise TableError(
            f"{path}: no column {' and no '.join(missing)}; there are {', '.join(header) or 'none'}: the table needs "
            "confidence (from 0 to 1) and correct (true or false), and may have group and cluster"
        )
    confidence = _column(path, unit, rows, names["confidence"], _confidence, _CONFIDENCE_WANTED)
    correct = _column(path, unit, rows, names["correct"], _outcome, _OUTCOME_WANTED)
    if not rows:
        raise TableError(f"{path}: the table has no rows")
    group = names.get("group")
    groups = None if group is None else tuple(_name(row.values.get(group)) or "(none)" for row in rows)
    cluster = names.get("cluster")
    # A cell without one says nothing of other rows: its row stands alone.
    clusters = None if cluster is None else tuple(_name(row.values.get(cluster)) for row in rows)
    return Outcomes(path.stem, tuple(confidence), tuple(correct), groups, clusters)


def report_outcomes(
    confidence: Sequence[float],
    correct: Sequence[bool],
    groups: Sequence[str] | None = None,
    *,
    clusters: Sequence[str] | None = None,
    name: str = "own answers",
    resamples: int = 1000,
    seed: int = 0,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Make the full report of answers whose confidences and outcomes are known, from wherever they come.

    `trustvqa.reports.write_report` writes it as a page, as JSON and as CSV.

    Args:
        confidence: Confidences in [0, 1].
        correct: Whether each answer was right.
        groups: The group of each, for figures by group.
        clusters: What each belongs to, such as its picture or its patient, "" for nothing: answers that belong together
            are worth less than as many that do not, and intervals are wider.
        name: Name of the answers.
        resamples: Bootstrap resamples of the figures.
        seed: Seed of the bootstrap.
        clock: Gives the time that the report bears.

    Returns:
        The report, with one method, "stated".

    Raises:
        ValueError: If there is nothing, the lengths differ, or a confidence is not in [0, 1].

    Example:
        >>> from prompt4trust import report_outcomes
        >>> report = report_outcomes([0.9, 0.9, 0.6, 0.6], [True, True, True, False], resamples=20)
        >>> round(report.methods[0].figures.all["ece"].value, 3)
        0.1
    """
    groups = list(groups) if groups is not None else None
    clusters = list(clusters) if clusters is not None else [""] * len(correct)
    if not len(confidence) == len(correct) == len(clusters) or (groups is not None and len(groups) != len(correct)):
        raise ValueError("confidence, correct, groups and clusters must be of one length")
    if not len(confidence):
        raise ValueError("there is nothing to report on")
    if not all(0 <= value <= 1 for value in confidence):
        raise ValueError("confidences must lie in [0, 1]; divide per cents by 100")
    method = "stated"
    rows = [
        Prediction(
            id=str(place),
            estimator=method,
            truth="right",
            answer="right" if right else "wrong",
            confidence=float(stated),
            groups={} if groups is None else {"group": groups[place]},
            picture=str(clusters[place]) or None,
        )
        for place, (stated, right) in enumerate(zip(confidence, correct, strict=True))
    ]
    origin = TableOrigin.describe(name, len(rows), method, clock())
    return compare_runs([ReportedRun(origin, rows)], resamples=resamples, seed=seed)


_CONFIDENCE_WANTED = "a number from 0 to 1 is expected; divide per cents by 100"
_OUTCOME_WANTED = "true or false is expected (or 1 and 0, yes and no, right and wrong)"


def _column(
    path: Path, unit: str, rows: Sequence[Entry], name: str, read: Callable[[str], T | None], wanted: str
) -> list[T]:
    values = [(row.line, text, read(text)) for row in rows for text in [_text(row.values.get(name))]]
    if bad := [(line, text) for line, text, value in values if value is None]:
        shown = "".join(f"\n  {unit} {line}: {name} is {text!r}" for line, text in bad[:_SHOWN])
        more = f"\n  ... and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise TableError(f"{path}: {len(bad)} row(s) cannot be used, {wanted}:{shown}{more}")
    return [value for _, _, value in values if value is not None]


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def _name(value: object) -> str:
    """Read a group or a cluster; R and pandas write NA and NaN where there is none."""
    text = _text(value)
    return "" if text.casefold() in _NO_NAME else text


def _confidence(text: str) -> float | None:
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= 1 else None


def _outcome(text: str) -> bool | None:
    return _OUTCOMES.get(text.casefold())
