"""The report as one self-contained HTML page: tables, reliability diagrams, the most confident errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

from prompt4trust.evaluation.figures import Figures, MethodReport, Report
from prompt4trust.evaluation.table import Prediction
from prompt4trust.questions import Question
from prompt4trust.reporting import words
from prompt4trust.reporting.diagrams import reliability_svg
from prompt4trust.reporting.markup import document, table

_WORST = 20
_GROUP_METRICS = ("accuracy", "ece", "auroc", "confident_error_share")


def render_page(report: Report, predictions: Sequence[Prediction] = (), questions: Sequence[Question] = ()) -> str:
    """Write a report as HTML that needs nothing else: no script, no font, no picture from elsewhere.

    Args:
        report: The figures.
        predictions: For the list of the most confident errors; may be empty.
        questions: Their questions, for the same.

    Returns:
        The page.
    """
    run, methods = report.run, report.methods
    parts = [
        f"<h1>Evaluation on {escape(run.dataset)}</h1>",
        f"<p>{run.questions} questions, {run.created:%Y-%m-%d %H:%M} UTC. In brackets: bootstrap 95 % intervals.</p>",
        _remarks(methods),
        "<h2>All questions</h2><p>A reply without a verdict counts as wrong, with confidence 0.</p>",
        _metrics(methods, lambda method: method.figures),
        "<h2>Reliability</h2><p>Bars: how often answers stated at that confidence were right. The tinted part is the "
        "distance to the diagonal, where a calibrated model lies. Below: how many answers. Valid replies only.</p>",
        _diagrams(methods),
        *_groups(methods),
        _worst(predictions, questions),
        "<h2>Valid replies only</h2>",
        table(
            ["", *(method.name for method in methods)],
            (
                [words.label(name), *(_cell(method.figures, "valid", name) for method in methods)]
                for name in _names(methods)
            ),
        ),
        "<h2>Run</h2>",
        _run(report),
    ]
    title = f"Evaluation on {run.dataset}"
    return document(title, parts)


def _names(methods: Sequence[MethodReport]) -> list[str]:
    return words.metrics_of(methods)


def _metrics(methods: Sequence[MethodReport], figures: Callable[[MethodReport], Figures]) -> str:
    arrows = {"higher": " &uarr;", "lower": " &darr;", "": ""}
    rows = [
        [
            escape(words.label(name)) + arrows[words.better(name)],
            *(_cell(figures(method), "all", name) for method in methods),
        ]
        for name in _names(methods)
    ]
    rows += ([what, *cells] for what, cells in words.costs(methods))
    return table(["", *(escape(method.name) for method in methods)], rows)


def _cell(figures: Figures | None, view: str, metric: str) -> str:
    if figures is None:
        return "-"
    estimate = (figures.all if view == "all" else figures.valid).get(metric)
    value, _, bounds = words.interval(estimate, 0 if metric.endswith("_count") else 3).partition(" ")
    return f"{value} <small>{bounds}</small>" if bounds else value


def _diagrams(methods: Sequence[MethodReport]) -> str:
    figures = (
        f"<figure>{reliability_svg(method.reliability, method.name)}<figcaption>{escape(method.name)}: ECE "
        f"{words.interval(method.figures.valid.get('ece'))}</figcaption></figure>"
        for method in methods
    )
    return f'<div class="figures">{"".join(figures)}</div>'


def _groups(methods: Sequence[MethodReport]) -> Iterable[str]:
    for group in dict.fromkeys(group for method in methods for group in method.groups):
        values = list(dict.fromkeys(value for method in methods for value in method.groups.get(group, {})))
        for metric in (name for name in _GROUP_METRICS if name in _names(methods)):
            rows = []
            for value in values:
                found = [method.groups.get(group, {}).get(value) for method in methods]
                n = max(figures.n for figures in found if figures is not None)
                rows.append([escape(value), str(n), *(_cell(figures, "all", metric) for figures in found)])
            yield f"<h2>{escape(words.label(metric))} by {escape(group)}</h2>"
            yield table([escape(group), "n", *(escape(method.name) for method in methods)], rows)


def _worst(predictions: Sequence[Prediction], questions: Sequence[Question]) -> str:
    known = {question.id: question for question in questions}
    wrong = [
        row
        for row in predictions
        if row.answer is not None and row.truth is not None and not row.correct and row.id in known
    ]
    if not wrong:
        return ""
    wrong.sort(key=lambda row: (-(row.confidence or 0), row.id, row.estimator))
    rows = []
    for row in wrong[:_WORST]:
        question = known[row.id]
        options = question.options
        rows.append(
            [
                words.number(row.confidence),
                escape(row.estimator),
                escape(question.text),
                escape(f"{row.answer}. {options.get(row.answer or '', '')}"),
                escape(f"{row.truth}. {options.get(row.truth or '', '')}"),
                f"<small>{escape(row.id)}</small>",
            ]
        )
    head = ["stated", "estimator", "question", "answered", "truth", "id"]
    return f"<h2>The most confident errors</h2>{table(head, rows)}"


def _remarks(methods: Sequence[MethodReport]) -> str:
    said = (
        f'<p class="warn">{escape(method.name)}: {escape(text)}.</p>'
        for method in methods
        for text in words.remarks(method)
    )
    return "".join(said)


def _run(report: Report) -> str:
    run = report.run
    facts = {
        "downstream model": run.downstream,
        "policy": run.policy or "none",
        "answer template": run.template,
        "sampling": ", ".join(f"{name} {value}" for name, value in run.sampling.items() if value is not None),
        "data": run.data_hash[:16],
        "calibrators": ", ".join(method.calibrator for method in report.methods if method.calibrator) or "none",
        "software": run.software,
        **run.notes,
    }
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items()) + "</dl>"
