"""The report as one self-contained HTML page: tables, diagrams, the most confident errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prompt4trust.evaluation.figures import MethodReport, Report
from prompt4trust.evaluation.manifest import RunManifest, TableOrigin
from prompt4trust.evaluation.report import ReportedRun
from prompt4trust.questions import Question
from trustvqa.reports import metric_names
from trustvqa.reports.evaluation import findings
from trustvqa.reports.evaluation.advice import Advice, advise
from trustvqa.reports.evaluation.confident_errors import ErrorView, confident_errors, error_views
from trustvqa.reports.evaluation.figure_tables import group_tables, groups_of, whole_tables
from trustvqa.reports.evaluation.group_diagrams import GroupDiagrams, group_diagrams
from trustvqa.reports.evaluation.method_diagrams import (
    RiskDiagrams,
    confidence_histograms,
    reliability_diagrams,
    risk_diagrams,
)
from trustvqa.reports.page_parts import Cell, Diagram, Table, change_cell, figure_cell, metric_heading
from trustvqa.reports.rendering import render

MAIN = ("accuracy", "mean_confidence", "ece", "brier", "nll", "auroc", "aurc", "confident_error_share")
"""Metrics of the first table; all others are further down."""
_CHANGED = ("accuracy", "ece", "brier", "auroc", "confident_error_share")


@dataclass(frozen=True, slots=True)
class Card:
    """Worth of a method's confidence: its name, good or bad news, and a few sentences."""

    name: str
    good: bool | None
    verdict: str
    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class EvaluationPage:
    """View model of evaluation.html, by the order of its sections; what is empty has none.

    Attributes:
        title, about, notes: The page's name, what was evaluated, what a reader must know of how the page was made.
        advice: The first page: which method, at which risk, how sure.
        lead, alike, remarks, cards: The summary: what the report comes to, estimators that gave the same answers in all
            runs, what a reader of the methods' figures must know, and each method's verdict.
        methods, changes: The first table, and differences of pairs of methods.
        reliability, confidences, risk, groups: The diagrams.
        errors: The most confident errors.
        tables, group_tables: Every figure, and every figure by group.
        runs, calibrators: What was run and applied.
        reading: Explanations of the figures.
    """

    title: str
    about: str
    notes: Sequence[str]
    advice: Advice
    lead: Sequence[str]
    alike: Sequence[str]
    remarks: Sequence[str]
    cards: Sequence[Card]
    methods: Table
    changes: Table | None
    reliability: Sequence[Diagram]
    confidences: Sequence[Diagram]
    risk: RiskDiagrams | None
    groups: Sequence[GroupDiagrams]
    errors: Sequence[ErrorView]
    tables: Sequence[Table]
    group_tables: Sequence[Sequence[Table]]
    runs: Sequence[Mapping[str, str]]
    calibrators: str
    reading: Mapping[str, str]


def render_evaluation_page(
    report: Report,
    runs: Sequence[ReportedRun] = (),
    questions: Sequence[Question] = (),
    *,
    title: str | None = None,
    notes: Sequence[str] = (),
    pictures: bool = True,
) -> str:
    """Write a report as HTML that needs nothing else: no script, no font, no picture from elsewhere.

    Args:
        report: The figures.
        runs: What they are of, for the list of the most confident errors; may be empty.
        questions: Their questions, for the same.
        title: The page's name; None for one that names the data.
        notes: What a reader must know of how the page was made.
        pictures: Whether pictures become part of it.

    Returns:
        The page.
    """
    methods = report.methods
    shown = [method for method in methods if method.outline is not None]
    colours = _colours(methods)
    errors = confident_errors(runs, alike=report.alike)
    page = EvaluationPage(
        title=title or f"{'Comparison' if report.others else 'Evaluation'} on {report.run.dataset}",
        about=_about(report),
        notes=notes,
        advice=advise(report),
        lead=findings.lead(report),
        alike=report.alike,
        remarks=[f"{method.name}: {told}." for method in methods for told in metric_names.remarks(method)],
        cards=[_card(method) for method in methods],
        methods=_methods(report),
        changes=_changes(report) if report.changes else None,
        reliability=reliability_diagrams(shown),
        confidences=confidence_histograms(shown),
        risk=risk_diagrams(shown) if shown else None,
        groups=[group_diagrams(shown, group, colours) for group in groups_of(shown)],
        errors=error_views(errors, {question.id: question for question in questions}, pictures=pictures),
        tables=whole_tables(methods),
        group_tables=group_tables(methods),
        runs=[_facts(run) for run in (report.run, *report.others)],
        calibrators="; ".join(f"{each.name}: {each.calibrator}" for each in methods if each.calibrator) or "none",
        reading=_READING,
    )
    return render("evaluation.html", page)


def _about(report: Report) -> str:
    run = report.run
    if isinstance(run, TableOrigin):
        return f"{run.questions} answers of a table, {run.created:%d %B %Y}. Ranges are 95 % intervals."
    parts = [f"{run.questions} questions", run.downstream]
    policies = dict.fromkeys(
        each.policy for each in (run, *report.others) if isinstance(each, RunManifest) and each.policy
    )
    if policies:
        parts.append(f"policy {' and '.join(policies)}")
    if run.second is not None:
        parts.append(f"second opinion by {run.second}")
    return f"{', '.join(parts)}, {run.created:%d %B %Y}. Ranges are 95 % intervals."


def _card(method: MethodReport) -> Card:
    verdict = findings.judge(method)
    valid, ideal = method.figures.valid, (method.outline.ideal if method.outline else {})
    sentences = []
    right, said, error = (valid.get(name) for name in ("accuracy", "mean_confidence", "ece"))
    if right and said and right.value is not None and said.value is not None:
        stated, true = (findings.points(each.value) for each in (said, right) if each.value is not None)
        sentences.append(f"Says {stated}\N{NO-BREAK SPACE}% on average, is right in {true}\N{NO-BREAK SPACE}%.")
    if error and error.value is not None and "ece" in ideal:
        low, high = (metric_names.number(each) for each in (ideal["ece"].low, ideal["ece"].high))
        sentences.append(f"ECE {metric_names.number(error.value)}; chance alone would make {low} to {high}.")
    if counted := findings.confident_errors(method):
        sentences.append(f"Stated at 0.9 or more: {counted}.")
    return Card(method.name, verdict.good, verdict.words, sentences)


def _methods(report: Report) -> Table:
    found = metric_names.metrics_of(report.methods)
    metrics = [name for name in MAIN if name in found]
    if any((each := method.figures.all.get("valid_rate")) and each.value != 1 for method in report.methods):
        metrics.append("valid_rate")
    rows: list[list[Cell | str]] = [
        [method.name, *(_cell(report, method, metric) for metric in metrics)] for method in report.methods
    ]
    starred = (
        "A star marks the best and those that the answers cannot tell from it, question by question; where no method "
        "stands apart there is none."
        if len(report.methods) > 1
        else ""
    )
    caption = f"All questions; a reply without a verdict counts as wrong, with confidence 0. {starred}"
    return Table(["", *(metric_heading(name) for name in metrics)], rows, caption)


def _cell(report: Report, method: MethodReport, metric: str) -> Cell:
    best = method.name in report.leading.get(metric, ())
    return figure_cell(method.figures.all.get(metric), metric, best=best)


def _changes(report: Report) -> Table:
    rows: list[list[Cell | str]] = []
    for change in report.changes:
        rows.append([change.method, change.than, *(change_cell(change.metrics.get(name)) for name in _CHANGED)])
    caption = (
        f"The one less the other, on the {report.changes[0].n} questions that all answered, paired by question. In "
        "bold: differences that the answers show. Intervals are not widened for the number of comparisons."
    )
    return Table(["", "beside", *(metric_heading(name) for name in _CHANGED)], rows, caption)


def _facts(run: RunManifest | TableOrigin) -> dict[str, str]:
    if isinstance(run, TableOrigin):
        return {
            "table": f"{run.dataset}, {run.questions} rows of a confidence and whether the answer was right",
            "models, questions, wording": "not part of the table",
            "made": f"{run.created:%Y-%m-%d %H:%M} UTC",
            "software": run.software,
        }
    return {
        "questions": f"{run.dataset}, {run.questions}, fingerprint {run.data_hash[:16]}",
        "downstream model": run.downstream,
        **({} if run.second is None else {"second downstream model": run.second}),
        "policy": run.policy or "none",
        "answer template": run.template,
        **({} if run.judge is None else {"open answers judged by": run.judge}),
        "sampling": ", ".join(f"{name} {value}" for name, value in run.sampling.items() if value is not None),
        "begun": f"{run.created:%Y-%m-%d %H:%M} UTC",
        "software": run.software,
        **run.notes,
    }


def _colours(methods: Iterable[MethodReport]) -> dict[str, int]:
    """Give an estimator and its calibrated forms one colour and mark: they are told apart by being filled or not."""
    numbers: dict[tuple[str, str], int] = {}
    return {method.name: numbers.setdefault((method.run, method.estimator), len(numbers)) for method in methods}


_READING = {
    "accuracy": "Share of questions answered rightly.",
    "mean confidence": "What is stated on average. Above the accuracy it is overconfidence.",
    "ECE": "Expected calibration error: distance of stated confidence and share of right answers, averaged over ten "
    "bins of confidence. It is never 0 on a finite sample; chance's share of it is given beside it.",
    "ACE, smooth ECE": "The same with bins of equal count, and without bins.",
    "Brier, NLL": "Mean squared error and mean log loss of the confidence: proper scores, which reward both knowing "
    "and saying so. Lower is better.",
    "AUROC": "Chance that a right answer was stated with more confidence than a wrong one; 0.5 is guessing. A "
    "calibrator that keeps the order of answers cannot change it.",
    "AURC": "Area under the risk-coverage curve: share of wrong answers, averaged over all numbers of questions "
    "answered, the surest first. Lower is better.",
    "coverage at 5 % error": "Largest share of questions that some threshold answers with at most 5 % errors, chosen "
    "in hindsight: no promise for other questions.",
    "errors stated >= 0.9": "Share of the wrong answers that were stated with 0.9 or more: those that mislead.",
    "interval": "Between these the figure falls in 95 % of resamples of the questions.",
}
