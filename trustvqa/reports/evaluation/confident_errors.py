"""The most confident errors: the question, its picture, what was hinted and what was replied."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.evaluation.report import ReportedRun
from prompt4trust.questions import Question
from trustvqa.reports.thumbnails import thumbnail

MOST = 12
_LONGEST_REPLY, _LONGEST_QUESTION, _LONGEST_ANSWER = 1500, 800, 80


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A wrong answer of one method.

    Attributes:
        method: The estimator, with its run's label where several are compared.
        row: Its prediction.
        corrected: Name of each calibrator's family -> the corrected confidence.
    """

    method: str
    row: Prediction
    corrected: Mapping[str, float]

    @property
    def told(self) -> str:
        """The answer with its confidences."""
        after = "".join(f", by {name} {_percent(value)}" for name, value in self.corrected.items())
        return f"{_cut(self.row.answer or '', _LONGEST_ANSWER)}, stated {_percent(self.row.confidence)}{after}"

    @property
    def quotes(self) -> list[tuple[str, str]]:
        """The hint and the reply, as far as there are any."""
        said = {"hint": self.row.guidance.text if self.row.guidance else None, "reply": self.row.text or None}
        return [(name, _cut(text, _LONGEST_REPLY)) for name, text in said.items() if text is not None]


Option = tuple[str, Literal["", "right", "answered"]]
"""An option of a question: its words, and whether it is right or was answered."""


@dataclass(frozen=True, slots=True)
class ErrorView:
    """A question that was answered wrongly, as the page shows it.

    Attributes:
        stated: The highest confidence with which it was.
        question, options: Its text and options, None and empty where they are not at hand; an open question has the
            right answer and what was answered for options.
        right: The right answer.
        answers: The wrong answers, the surest first.
        about: Its id and groups.
        picture, missing: A data: URL, or why there is none.
    """

    stated: str
    question: str | None
    options: Sequence[Option]
    right: str
    answers: Sequence[WrongAnswer]
    about: str
    picture: str
    missing: str


def confident_errors(
    runs: Sequence[ReportedRun], most: int = MOST, *, alike: Collection[str] = ()
) -> list[list[WrongAnswer]]:
    """Choose the questions that were answered wrongly with the most confidence.

    Args:
        runs: Whose answers.
        most: How many questions.
        alike: Estimators that gave the very same answers in all runs: they are quoted once, without a run's label.

    Returns:
        For each question its wrong answers, the surest first; the questions by their surest one, of equal ones that
        which more methods got wrong, then by id.
    """
    wrong: dict[str, list[WrongAnswer]] = {}
    for run in runs:
        for estimator in run.manifest.estimators:
            if estimator in alike and run is not runs[0]:
                continue
            rows = [
                row
                for row in run.predictions
                if row.estimator == estimator and row.answer is not None and row.is_labelled and not row.correct
            ]
            corrected = _corrected(run, estimator, rows)
            name = f"{estimator} ({run.label})" if run.label and estimator not in alike else estimator
            for row, values in zip(rows, corrected, strict=True):
                wrong.setdefault(row.id, []).append(WrongAnswer(name, row, values))
    for answers in wrong.values():
        answers.sort(key=lambda each: -(each.row.confidence or 0.0))
    order = sorted(wrong, key=lambda key: (-(wrong[key][0].row.confidence or 0.0), -len(wrong[key]), key))
    return [wrong[key] for key in order[:most]]


def _corrected(run: ReportedRun, estimator: str, rows: Sequence[Prediction]) -> list[dict[str, float]]:
    fitting = [each for each in run.calibrators if each.key.estimator == estimator]
    if not rows:
        return []
    scored = PredictionArrays.of(rows)
    found = [(each.family, scored.correctable(each), scored.calibrated(each).confidence) for each in fitting]
    return [
        {name: float(np.round(values[place], 3)) for name, usable, values in found if usable[place]}
        for place in range(len(rows))
    ]


def error_views(
    errors: Sequence[Sequence[WrongAnswer]], questions: Mapping[str, Question], *, pictures: bool = True
) -> list[ErrorView]:
    """Prepare the errors for the page.

    Args:
        errors: From `confident_errors`.
        questions: Those that are known, by id; of others there is only what was answered.
        pictures: Whether pictures become part of the page.
    """
    return [_view(wrong, questions.get(wrong[0].row.id), pictures) for wrong in errors]


def _view(wrong: Sequence[WrongAnswer], question: Question | None, pictures: bool) -> ErrorView:
    first = wrong[0].row
    picture, missing = _picture(question, pictures)
    return ErrorView(
        stated=_percent(first.confidence),
        question=_cut(question.text, _LONGEST_QUESTION) if question else None,
        options=_options(question, wrong) if question else [],
        right=first.truth or first.expected or "",
        answers=wrong,
        about=" · ".join([first.id, *(f"{name}: {value}" for name, value in first.groups.items())]),
        picture=picture,
        missing=missing,
    )


def _picture(question: Question | None, wanted: bool) -> tuple[str, str]:
    """Give the picture as a URL, or why there is none."""
    if question is None:
        return "", "the question is not at hand"
    if question.image is None:
        return "", "no picture belongs to it"
    if not wanted:
        return "", "the picture is left out"
    url = thumbnail(question.image)
    return (url, "") if url else ("", "the picture cannot be read")


def _options(question: Question, wrong: Sequence[WrongAnswer]) -> list[Option]:
    given = {each.row.answer for each in wrong}
    if not question.options:
        listed = ", ".join(sorted(answer for answer in given if answer is not None))
        return [(question.answer or "", "right"), (_cut(listed, _LONGEST_QUESTION), "answered")]
    return [
        (
            f"{letter}. {_cut(text, _LONGEST_QUESTION)}",
            "right" if letter == question.answer else "answered" if letter in given else "",
        )
        for letter, text in question.options.items()
    ]


def _percent(confidence: float | None) -> str:
    return "-" if confidence is None else f"{100 * confidence:.3g} %"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
