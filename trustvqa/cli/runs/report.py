"""`trustvqa report`: what earlier runs came to, as one page that can be passed on and printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.datasets import DatasetError
from prompt4trust.evaluation import Report, TableError, read_outcomes, report_outcomes
from prompt4trust.evaluation.report import ReportedRun, compare_runs
from prompt4trust.files import write_atomically
from services.common.registry.directory import Registry
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.runs import options, prediction_run, tables
from trustvqa.cli.runs.earlier_runs import EarlierRun, labels, read_run
from trustvqa.cli.runs.evaluate import choose_calibrators
from trustvqa.reports.errors import WrongDataError
from trustvqa.reports.evaluation import findings
from trustvqa.reports.evaluation.evaluation_page import render_evaluation_page
from trustvqa.reports.files import write_files
from trustvqa.reports.question_lookup import FoundQuestions, find_questions
from trustvqa.reports.training_history import TrainingHistory
from trustvqa.reports.training_page import render_training_page


def report(
    run: Annotated[
        list[Path] | None, typer.Argument(help="Folder of an earlier run; several are set side by side.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page; by default report.html in the run's folder.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Run of the same questions that the others are compared with.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The run's questions, where they no longer lie where it found them.")
    ] = None,
    images: options.Images = None,
    calibrator: Annotated[
        str, typer.Option(help="auto: what the registry has for the run's models; none; or a file or folder.")
    ] = "auto",
    registry: Annotated[Path | None, typer.Option(help="Directory of policies and calibrators.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a run: a table (CSV, TSV, JSON, parquet) with confidence, correct, perhaps group, cluster."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="The page's title.")] = None,
    pictures: Annotated[bool, typer.Option(help="Show the pictures of the most confident errors.")] = True,
    resamples: options.Resamples = 1000,
) -> None:
    """Write what one run came to, or how several differ, as a page with diagrams and the most confident errors.

    With --csv the answers are those of a table of one's own, whatever made them.

    No model is asked. The page needs no other file: pictures are part of it, where the questions are still at hand.
    Without --out the run's report.json and report.csv are written anew as well, so that all three say the same.
    """
    progress, console = Console(stderr=True), tables.console()
    try:
        if csv is not None:
            if run or baseline or data or images or registry or calibrator != "auto":
                raise CommandError(
                    "--csv is reported by itself: of the other options --out, --title and --resamples go"
                )
            _table(csv, out, title, resamples, console)
            return
        if not run:
            raise CommandError("name the folder of a run, or a table with --csv")
        folders = [*([baseline] if baseline else []), *run]
        found = [read_run(folder) for folder in folders]
        earlier = [each for each in found if isinstance(each, EarlierRun)]
        if len(earlier) < len(found):
            _training(folders, found, out, title, console)
            return
        _check_same(earlier)
        named = labels(earlier)
        calibrators = _calibrators(calibrator, registry, earlier)
        looked_up = _questions(earlier, data, images)
    except (CommandError, DatasetError, TableError, WrongDataError) as error:
        fail(str(error))
    if looked_up.note:
        progress.print(f"[yellow]note[/] {escape(looked_up.detail)}", highlight=False, soft_wrap=True)
    covered = [
        ReportedRun(each.manifest, each.predictions, fitting, name)
        for each, fitting, name in zip(earlier, calibrators, named, strict=True)
    ]
    made = compare_runs(covered, resamples=resamples)
    notes = [looked_up.note] if looked_up.note else []
    page = render_evaluation_page(made, covered, looked_up.questions, title=title, notes=notes, pictures=pictures)
    for sentence in findings.lead(made):
        console.print(escape(sentence), highlight=False)
    for path in _write(made, page, out, earlier):
        console.print(str(path), highlight=False, soft_wrap=True)


def _table(path: Path, out: Path | None, title: str | None, resamples: int, console: Console) -> None:
    """Report on a table of one's own; the page lies beside it by default."""
    outcomes = read_outcomes(path)
    made = report_outcomes(
        outcomes.confidence,
        outcomes.correct,
        outcomes.groups,
        clusters=outcomes.clusters,
        name=outcomes.name,
        resamples=resamples,
    )
    page = render_evaluation_page(made, title=title)
    for sentence in findings.lead(made):
        console.print(escape(sentence), highlight=False)
    for table in (*tables.comparison(made), *tables.by_group(made, "group")):
        console.print(table, highlight=False)
    if out is not None:
        write_atomically(out, page, 0o644)
        written = [out]
    else:
        written = list(write_files(path.parent, f"{path.stem}-report", made, page).values())
    for file in written:
        console.print(str(file), highlight=False, soft_wrap=True)


def _training(
    folders: Sequence[Path],
    found: Sequence[EarlierRun | TrainingHistory],
    out: Path | None,
    title: str | None,
    console: Console,
) -> None:
    [first, *more] = found
    if more or not isinstance(first, TrainingHistory):
        raise CommandError("a training run is reported by itself; compare policies by evaluations of them")
    if not first.steps and not first.evaluations:
        raise CommandError(f"{folders[0]} has no finished step yet")
    path = out or folders[0] / "report.html"
    write_atomically(path, render_training_page(first, title=title), 0o644)
    console.print(str(path), highlight=False, soft_wrap=True)


def _check_same(earlier: Sequence[EarlierRun]) -> None:
    first = earlier[0]
    for other in earlier[1:]:
        if other.manifest.data_hash != first.manifest.data_hash:
            raise CommandError(
                f"{other.folder} and {first.folder} are of different questions ({other.manifest.dataset}, "
                f"{other.manifest.questions}; {first.manifest.dataset}, {first.manifest.questions}), and cannot be "
                "compared"
            )
    if len({each.folder.resolve() for each in earlier}) < len(earlier):
        raise CommandError("the same run is named twice")


def _calibrators(
    choice: str, registry: Path | None, earlier: Sequence[EarlierRun]
) -> list[Sequence[CalibratorArtifact]]:
    """Find each run's calibrators; those of a file must belong to one of the runs at least."""
    if choice == "none":
        return [[] for _ in earlier]
    where = Registry(registry or prediction_run.read_settings().registry)
    found: list[Sequence[CalibratorArtifact]] = []
    refused: list[CommandError] = []
    for each in earlier:
        try:
            found.append(choose_calibrators(choice, where, each.manifest))
        except CommandError as error:
            refused.append(error)
            found.append([])
    if len(refused) == len(earlier):
        raise refused[0]
    return found


def _questions(earlier: Sequence[EarlierRun], data: Path | None, images: Path | None) -> FoundQuestions:
    """Look the questions up where the first run that knows found them."""
    looked_up = FoundQuestions(())
    for each in earlier:
        looked_up = find_questions(each.manifest, each.predictions, data, images)
        if looked_up.questions:
            break
    return looked_up


def _write(report: Report, page: str, out: Path | None, earlier: Sequence[EarlierRun]) -> list[Path]:
    if out is not None:
        write_atomically(out, page, 0o644)
        return [out]
    name = "report" if len(earlier) == 1 else "comparison"
    return list(write_files(earlier[-1].folder, name, report, page).values())
