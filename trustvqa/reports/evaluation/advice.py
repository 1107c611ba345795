"""Advice, a report's first page: which method to use, at which risk, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prompt4trust.evaluation.figures import Estimate, MethodReport, Report
from trustvqa.reports.evaluation import findings
from trustvqa.reports.page_parts import Cell, Table, figure_cell

_MOST_METHODS = 10
_AT_RISKS = {"5 %": "coverage_at_5pct_error", "10 %": "coverage_at_10pct_error"}


@dataclass(frozen=True, slots=True)
class Advice:
    """A report's answers.

    Attributes:
        answers: A question that readers have -> its answer.
        table: The methods side by side, the best first.
        left_out: Methods that have no place in the table.
    """

    answers: dict[str, str]
    table: Table
    left_out: int


def advise(report: Report) -> Advice:
    """Sum a report up for whoever must choose a method and an accepted risk."""
    methods = sorted(report.methods, key=_rank)
    best = methods[0] if methods and findings.judge(methods[0]).good else None
    answers = {
        "Which method?": _which(report, best),
        "At which risk?": _at_which_risk(best or (methods[0] if methods else None)),
        "How sure is that?": _how_sure(report, best),
    }
    rows: list[Sequence[Cell | str]] = [_row(method) for method in methods[:_MOST_METHODS]]
    head = ["", "its confidence", "right", *(f"answered at {risk} wrong" for risk in _AT_RISKS)]
    return Advice(answers, Table(head, rows), max(0, len(methods) - _MOST_METHODS))


def _rank(method: MethodReport) -> tuple[bool, float, str]:
    """Order methods: those that can be taken at their word, and of these the lowest Brier score, first."""
    brier = _value(method.figures.all.get("brier"))
    return not findings.judge(method).good, 9.0 if brier is None else brier, method.name


def _which(report: Report, best: MethodReport | None) -> str:
    if best is None:
        return (
            "None yet: no method's confidence is shown to be true on these questions. Correct one first "
            "(trustvqa calibrate), or ask more questions."
        )
    like = [name for name in report.leading.get("brier", ()) if name != best.name]
    apart = f" The answers do not tell it from {', '.join(like)}." if like else ""
    flattered = (
        " Its calibrator was fitted on these very answers, which flatters it: check it on others."
        if best.in_sample
        else ""
    )
    return (
        f"{best.name}: the lowest Brier score among those whose confidence can be taken at its word.{apart}{flattered}"
    )


def _at_which_risk(method: MethodReport | None) -> str:
    if method is None:
        return "There are no answers to go by."
    told = [
        f"{_share(found)} of questions with {risk} of the answers wrong"
        for risk, metric in _AT_RISKS.items()
        if (found := method.figures.all.get(metric)) is not None and found.value is not None
    ]
    if not told:
        return "There are too few answers to say."
    return (
        f"{method.name} answers {', and '.join(told)}; the rest is left to people. That is in hindsight: "
        "trustvqa guard makes a promise of it."
    )


def _how_sure(report: Report, best: MethodReport | None) -> str:
    asked = f"{report.run.questions} questions; in brackets 95 % intervals."
    return asked if best is None else f"{best.name} is {findings.judge(best).words}. {asked}"


def _row(method: MethodReport) -> list[Cell | str]:
    shown = [figure_cell(method.figures.all.get(name), name) for name in ("accuracy", *_AT_RISKS.values())]
    return [method.name, findings.judge(method).words, *shown]


def _share(found: Estimate) -> str:
    ends = "" if found.low is None or found.high is None else f" [{100 * found.low:.0f}, {100 * found.high:.0f}]"
    return f"{100 * (found.value or 0.0):.0f} %{ends}"


def _value(found: Estimate | None) -> float | None:
    return None if found is None else found.value
