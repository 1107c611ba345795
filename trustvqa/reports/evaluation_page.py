"""The report as one self-contained HTML page: what it comes to, tables, diagrams, the most confident errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prompt4trust.evaluation.figures import Estimate, MethodReport, Report
from prompt4trust.evaluation.manifest import RunManifest
from prompt4trust.evaluation.pairing import differs
from prompt4trust.evaluation.report import ReportedRun
from prompt4trust.questions import Question
from trustvqa.reports import all_figures, method_diagrams, metric_names, summary
from trustvqa.reports.breakdown import render_breakdown
from trustvqa.reports.confident_errors import confident_errors, render_errors
from trustvqa.reports.markup import clean, document, facts, intro, section, table

MAIN = ("accuracy", "mean_confidence", "ece", "brier", "nll", "auroc", "aurc", "confident_error_share")
"""Metrics of the first table; all others are further down."""
_CHANGED = ("accuracy", "ece", "brier", "auroc", "confident_error_share")


def render_page(
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
    run, methods = report.run, report.methods
    name = title or f"{'Comparison' if report.others else 'Evaluation'} on {run.dataset}"
    colours = _colours(methods)
    shown = [method for method in methods if method.outline is not None]
    sections = [("summary", "Summary", _summary(report)), ("methods", "Methods", _methods(report))]
    if shown:
        sections += [
            ("reliability", "Reliability", method_diagrams.reliability(shown)),
            ("confidences", "Confidences of right and wrong answers", method_diagrams.histograms(shown)),
            ("risk", "Answering less, erring less", method_diagrams.risk(shown)),
        ]
    groups = all_figures.groups_of(shown)
    if groups:
        sections.append(("groups", "By group", [render_breakdown(shown, group, colours) for group in groups]))
    errors = _errors(report, runs, questions, pictures)
    if errors:
        sections.append(("errors", "The most confident errors", errors))
    sections += [
        ("figures", "All figures", all_figures.render(methods)),
        ("run", "What was run", _runs(report)),
        ("reading", "How to read this", [facts(_READING)]),
    ]
    links = "".join(f'<li><a href="#{key}">{clean(heading)}</a></li>' for key, heading, _ in sections)
    head = [f"<header><h1>{clean(name)}</h1>", f'<p class="soft">{clean(_about(report))}</p>']
    head += [f'<p class="warn">{clean(note)}</p>' for note in notes]
    head.append(f'</header><nav aria-label="Sections"><ul>{links}</ul></nav>')
    return document(name, [*head, *(section(*each) for each in sections)])


def _about(report: Report) -> str:
    run = report.run
    parts = [f"{run.questions} questions", run.downstream]
    policies = dict.fromkeys(each.policy for each in (run, *report.others) if each.policy)
    if policies:
        parts.append(f"policy {' and '.join(policies)}")
    return f"{', '.join(parts)}, {run.created:%d %B %Y}. Ranges are bootstrap 95 % intervals."


def _summary(report: Report) -> list[str]:
    said = "".join(f"<li>{clean(sentence)}</li>" for sentence in summary.lead(report))
    remarks = "".join(
        f'<p class="warn">{clean(method.name)}: {clean(text)}.</p>'
        for method in report.methods
        for text in metric_names.remarks(method)
    )
    alike = "".join(
        f'<p class="soft">{clean(each)} gave the very same answers in all runs, and is listed once.</p>'
        for each in report.alike
    )
    cards = "".join(_card(method) for method in report.methods)
    return [f"<ul>{said}</ul>", alike, remarks, f'<div class="cards">{cards}</div>']


def _card(method: MethodReport) -> str:
    verdict = summary.judge(method)
    kind = {True: " fine", False: " bad", None: ""}[verdict.good]
    valid, ideal = method.figures.valid, (method.outline.ideal if method.outline else {})
    parts = [f"<h3>{clean(method.name)}</h3>", f'<p class="verdict">{clean(verdict.words)}</p>']
    right, said, error = (valid.get(name) for name in ("accuracy", "mean_confidence", "ece"))
    if right and said and right.value is not None and said.value is not None:
        parts.append(
            f"<p>Says {summary.points(said.value)}&nbsp;% on average, "
            f"is right in {summary.points(right.value)}&nbsp;%.</p>"
        )
    if error and error.value is not None and "ece" in ideal:
        parts.append(
            f"<p>ECE {metric_names.number(error.value)}; chance alone would make "
            f"{metric_names.number(ideal['ece'].low)} to {metric_names.number(ideal['ece'].high)}.</p>"
        )
    if counted := summary.confident_errors(method):
        parts.append(f"<p>Stated at 0.9 or more: {counted}.</p>")
    return f'<div class="card{kind}">{"".join(parts)}</div>'


def _methods(report: Report) -> list[str]:
    found = metric_names.metrics_of(report.methods)
    metrics = [name for name in MAIN if name in found]
    if any((each := method.figures.all.get("valid_rate")) and each.value != 1 for method in report.methods):
        metrics.append("valid_rate")
    rows = [[clean(method.name), *(_cell(report, method, metric) for metric in metrics)] for method in report.methods]
    starred = (
        "A star marks the best and those that the answers cannot tell from it, question by question; where no method "
        "stands apart there is none."
        if len(report.methods) > 1
        else ""
    )
    caption = f"All questions; a reply without a verdict counts as wrong, with confidence 0. {starred}"
    parts = [table(["", *(all_figures.heading(name) for name in metrics)], rows, caption)]
    if report.changes:
        head = ["", "beside", *(all_figures.heading(name) for name in _CHANGED)]
        changed = [
            [clean(each.method), clean(each.than), *(_change(each.metrics.get(name)) for name in _CHANGED)]
            for each in report.changes
        ]
        n = report.changes[0].n
        caption = (
            f"The one less the other, on the {n} questions that all answered, paired by question. In bold: differences "
            "that the answers show. Intervals are not widened for the number of comparisons."
        )
        parts.append(f"<h3>Side by side</h3>{table(head, changed, caption)}")
    return parts


def _cell(report: Report, method: MethodReport, metric: str) -> str:
    estimate = method.figures.all.get(metric)
    best = method.name in report.leading.get(metric, ())
    return all_figures.cell(estimate, metric, best=best)


def _change(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "-"
    value = f"{estimate.value:+z.3f}"
    if estimate.low is None or estimate.high is None:
        return value
    if differs(estimate):
        value = f"<strong>{value}</strong>"
    return f'{value} <span class="range">{estimate.low:+z.3f} to {estimate.high:+z.3f}</span>'


def _errors(report: Report, runs: Sequence[ReportedRun], questions: Sequence[Question], pictures: bool) -> list[str]:
    errors = confident_errors(runs, alike=report.alike)
    if not errors:
        return []
    known = {question.id: question for question in questions}
    told = intro(
        f"The {len(errors)} questions that were answered wrongly with the highest stated confidence, with every method "
        "that erred on them."
    )
    return [told, render_errors(errors, known, pictures=pictures)]


def _runs(report: Report) -> list[str]:
    runs = (report.run, *report.others)
    parts = []
    for number, run in enumerate(runs, start=1):
        heading = f"<h3>Run {number}</h3>" if len(runs) > 1 else ""
        parts.append(heading + facts(_facts(run)))
    calibrators = [f"{method.name}: {method.calibrator}" for method in report.methods if method.calibrator]
    parts.append(facts({"calibrators": "; ".join(calibrators) or "none"}))
    return parts


def _facts(run: RunManifest) -> dict[str, str]:
    return {
        "questions": f"{run.dataset}, {run.questions}, fingerprint {run.data_hash[:16]}",
        "downstream model": run.downstream,
        "policy": run.policy or "none",
        "answer template": run.template,
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
