"""A report as files: JSON for programs, CSV for spreadsheets, one HTML page for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation.figures import Figures, Report
from prompt4trust.evaluation.manifest import TableOrigin
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.evaluation.report import ReportedRun
from prompt4trust.files import write_atomically
from prompt4trust.questions import Question
from trustvqa.reports.evaluation.evaluation_page import render_evaluation_page

COLUMNS = ("method", "group", "group_value", "rows", "n", "metric", "value", "low", "high")


def write_report(
    folder: Path,
    report: Report,
    predictions: Sequence[Prediction] = (),
    questions: Sequence[Question] = (),
    calibrators: Sequence[CalibratorArtifact] = (),
) -> dict[str, Path]:
    """Write report.json, report.csv and report.html of one run.

    Args:
        folder: Where to; existing reports are replaced.
        report: The figures.
        predictions: For the page's list of the most confident errors; may be empty.
        questions: Their questions, for the same.
        calibrators: Those that the report applied, for the same.

    Returns:
        "json", "csv" and "html" -> the file.
    """
    covered = [ReportedRun(report.run, predictions, calibrators)] if predictions else []
    page = render_evaluation_page(report, covered, questions)
    return write_files(folder, "report", report, page)


def write_files(folder: Path, name: str, report: Report, page: str) -> dict[str, Path]:
    """Write a report's figures as JSON and CSV beside its page.

    Args:
        folder: Where to; existing files are replaced.
        name: Their name without its ending.
        report: The figures.
        page: The page, as HTML.

    Returns:
        "json", "csv" and "html" -> the file.
    """
    contents = {"json": report.model_dump_json(indent=2) + "\n", "csv": as_csv(report), "html": page}
    files = {kind: folder / f"{name}.{kind}" for kind in contents}
    for kind, path in files.items():
        write_atomically(path, contents[kind])
    return files


def as_csv(report: Report) -> str:
    """Lay a report out as a long table: one row a figure.

    Returns:
        CSV text with the header `COLUMNS`; `group` is empty for all questions together, `rows` is "all" or "valid",
        an undefined figure is an empty cell.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for method in report.methods:
        writer.writerows(_lines(method.name, "", "", method.figures))
        costs = (("calls", method.calls), ("tokens", method.tokens), ("seconds", method.seconds))
        for what, spent in () if isinstance(report.run, TableOrigin) else costs:
            writer.writerow((method.name, "", "", "all", method.figures.n, f"{what}_per_answer", spent, None, None))
        for group, worst in method.worst.items():
            for metric, each in (("worst_group_ece", worst.ece), ("worst_group_ece_by_chance", worst.by_chance)):
                figure = (metric, each.value, each.low, each.high)
                writer.writerow((method.name, group, worst.value, "valid", worst.n, *figure))
        for group, values in method.groups.items():
            for value, figures in values.items():
                writer.writerows(_lines(method.name, group, value, figures))
    return stream.getvalue()


def _lines(method: str, group: str, value: str, figures: Figures) -> Iterator[tuple[object, ...]]:
    views = {"all": figures.all, "valid": figures.valid}
    for rows, metrics in views.items():
        for metric, estimate in metrics.items():
            yield method, group, value, rows, figures.n, metric, estimate.value, estimate.low, estimate.high
    yield method, group, value, "valid", figures.n, "confidence_spread", figures.confidence_spread, None, None
