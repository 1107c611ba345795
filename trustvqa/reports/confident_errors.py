"""The most confident errors: the question, its picture, what was hinted and what was replied."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.evaluation.report import ReportedRun
from prompt4trust.evaluation.scored import Scored
from prompt4trust.plots.svg import clean
from prompt4trust.questions import Question
from trustvqa.reports.thumbnails import thumbnail

MOST = 12
_LONGEST_REPLY, _LONGEST_QUESTION = 1500, 800


@dataclass(frozen=True, slots=True)
class Saying:
    """A wrong answer of one method.

    Attributes:
        method: The estimator, with its run's label where several are compared.
        row: Its prediction.
        corrected: Name of each calibrator's family -> the corrected confidence.
    """

    method: str
    row: Prediction
    corrected: Mapping[str, float]


def confident_errors(
    runs: Sequence[ReportedRun], most: int = MOST, *, alike: Collection[str] = ()
) -> list[list[Saying]]:
    """Choose the questions that were answered wrongly with the most confidence.

    Args:
        runs: Whose answers.
        most: How many questions.
        alike: Estimators that gave the very same answers in all runs: they are quoted once, without a run's label.

    Returns:
        For each question its wrong answers, the surest first; the questions by their surest one, of equal ones that
        which more methods got wrong, then by id.
    """
    wrong: dict[str, list[Saying]] = {}
    for run in runs:
        for estimator in run.manifest.estimators:
            if estimator in alike and run is not runs[0]:
                continue
            rows = [
                row
                for row in run.predictions
                if row.estimator == estimator and row.answer is not None and row.truth is not None and not row.correct
            ]
            corrected = _corrected(run, estimator, rows)
            name = f"{estimator} ({run.label})" if run.label and estimator not in alike else estimator
            for row, values in zip(rows, corrected, strict=True):
                wrong.setdefault(row.id, []).append(Saying(name, row, values))
    for sayings in wrong.values():
        sayings.sort(key=lambda each: -(each.row.confidence or 0.0))
    order = sorted(wrong, key=lambda key: (-(wrong[key][0].row.confidence or 0.0), -len(wrong[key]), key))
    return [wrong[key] for key in order[:most]]


def _corrected(run: ReportedRun, estimator: str, rows: Sequence[Prediction]) -> list[dict[str, float]]:
    fitting = [each for each in run.calibrators if each.pair.estimator == estimator]
    if not rows:
        return []
    scored = Scored.of(rows)
    found = [(each.method, scored.correctable(each), scored.calibrated(each).confidence) for each in fitting]
    return [
        {name: float(np.round(values[place], 3)) for name, usable, values in found if usable[place]}
        for place in range(len(rows))
    ]


def render_errors(
    errors: Sequence[Sequence[Saying]], questions: Mapping[str, Question], *, pictures: bool = True
) -> str:
    """Lay the errors out, one below the other.

    Args:
        errors: From `confident_errors`.
        questions: Those that are known, by id; of others there is only what was answered.
        pictures: Whether pictures become part of the page.

    Returns:
        HTML.
    """
    listed = "".join(_error(sayings, questions.get(sayings[0].row.id), pictures) for sayings in errors)
    return f'<div class="errors">{listed}</div>'


def _error(sayings: Sequence[Saying], question: Question | None, pictures: bool) -> str:
    first = sayings[0].row
    parts = [f"<h3>Stated {_percent(first.confidence)}, and wrong</h3>"]
    if question is not None:
        parts.append(f"<p>{clean(_cut(question.text, _LONGEST_QUESTION))}</p>")
        parts.append(_options(question, sayings))
    else:
        parts.append(f'<p>Right: <span class="truth">{clean(first.truth or "")}</span></p>')
    parts += [_said(saying) for saying in sayings]
    told = [first.id, *(f"{name}: {value}" for name, value in first.groups.items())]
    parts.append(f"<p><small>{clean(' · '.join(told))}</small></p>")
    return f'<article class="error"><div>{_picture(question, pictures)}</div><div>{"".join(parts)}</div></article>'


def _picture(question: Question | None, wanted: bool) -> str:
    if question is None:
        return '<div class="none">the question is not at hand</div>'
    if question.image is None:
        return '<div class="none">no picture belongs to it</div>'
    if not wanted:
        return '<div class="none">the picture is left out</div>'
    url = thumbnail(question.image)
    if url is None:
        return '<div class="none">the picture cannot be read</div>'
    return f'<img src="{url}" alt="The picture that the question is about">'


def _options(question: Question, sayings: Sequence[Saying]) -> str:
    given = {saying.row.answer for saying in sayings}
    lines = []
    for letter, text in question.options.items():
        words = clean(f"{letter}. {_cut(text, _LONGEST_QUESTION)}")
        if letter == question.answer:
            words = f'<span class="truth">{words} &#10003; right</span>'
        elif letter in given:
            words = f'<span class="given">{words} &#10007; answered</span>'
        lines.append(f"<li>{words}</li>")
    if not question.options:
        listed = ", ".join(sorted(answer for answer in given if answer is not None))
        lines = [
            f'<li><span class="truth">{clean(question.answer or "")} &#10003; right</span></li>',
            f'<li><span class="given">{clean(_cut(listed, _LONGEST_QUESTION))} &#10007; answered</span></li>',
        ]
    return f"<ul>{''.join(lines)}</ul>"


def _said(saying: Saying) -> str:
    row = saying.row
    after = "".join(f", by {clean(name)} {_percent(value)}" for name, value in saying.corrected.items())
    answer = clean(_cut(row.answer or "", 80))
    parts = [f"<p><strong>{clean(saying.method)}</strong>: {answer}, stated {_percent(row.confidence)}{after}</p>"]
    if row.guidance is not None:
        parts.append(_quote("hint", row.guidance.text))
    if row.text:
        parts.append(_quote("reply", row.text))
    return f'<div class="said">{"".join(parts)}</div>'


def _quote(what: str, text: str) -> str:
    quoted = clean(_cut(text, _LONGEST_REPLY))
    return f'<div class="quote"><small>{what}</small><blockquote>{quoted}</blockquote></div>'


def _percent(confidence: float | None) -> str:
    return "-" if confidence is None else f"{100 * confidence:.3g} %"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
