"""The predictions table: one JSON object a line, appended as each prediction is finished, readable after any crash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prompt4trust.errors import TableError, TransportError
from prompt4trust.estimators.base import Answer
from prompt4trust.meaning import Judge
from prompt4trust.question_signals.words import word_signals
from prompt4trust.questions import Question
from prompt4trust.verdict import Invalid, InvalidReason

FILE = "predictions.jsonl"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GuidanceRecord(_Record):
    """The guidance prompt that was used and the policy version that wrote it."""

    text: str
    version: str


class CostRecord(_Record):
    """Cost of a prediction: model calls, tokens, and seconds spent waiting for models."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class Failure(_Record):
    """Reason for a missing prediction: a model could not be asked, or a picture could not be read.

    Attributes:
        service: "downstream", "policy" or "image".
        detail: The fault.
        timed_out: Whether a deadline passed.
        status: The HTTP status received, or None.
    """

    service: str
    detail: str
    timed_out: bool = False
    status: int | None = None


class Prediction(_Record):
    """One estimator's outcome on one question.

    Exactly one of three holds: there is an answer with a confidence; the text held none and `invalid` says why; or
    there is a `failure`, which says nothing about the model and is asked again when the run is resumed.

    Attributes:
        id: The question's id.
        estimator: The estimator's name.
        truth: The right option's letter, or None where unknown, as it is of an open question.
        expected: The text that the data set expects of an open question.
        right: Whether the run's judge takes the answer to an open question for what is expected; None where there was
            no judge, and for multiple choice.
        groups: The question's strata.
        picture: What questions about one picture share: a digest of its file's name; None without a picture.
        answer: The chosen option's letter.
        confidence: Confidence in [0, 1], as the estimator gave it.
        invalid: Reason for a text without a verdict.
        text: The model's text.
        guidance: The guidance prompt, if one was used.
        cost: Its cost.
        signals: Further numbers of the estimator; the words of question and answer, hashed (see
            `prompt4trust.question_signals.words`); and nearness to known questions where the run has reference inputs.
        failure: Reason for a missing prediction.

    Example:
        >>> from prompt4trust.estimators import Answer
        >>> from prompt4trust.verdict import Verdict
        >>> question = Question("q1", "Which side?", {"A": "Left", "B": "Right"}, answer="B")
        >>> row = Prediction.of(question, Answer(Verdict("B", 0.85), "Answer: B, confidence 85", "verbalized"))
        >>> row.correct, row.confidence
        (True, 0.85)
    """

    id: str
    estimator: str
    truth: str | None = None
    expected: str | None = None
    right: bool | None = None
    groups: Mapping[str, str] = Field(default_factory=dict)
    picture: str | None = None
    answer: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    invalid: InvalidReason | None = None
    text: str = ""
    guidance: GuidanceRecord | None = None
    cost: CostRecord = CostRecord()
    signals: Mapping[str, float] = Field(default_factory=dict)
    failure: Failure | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Question id and estimator: unique in a table."""
        return self.id, self.estimator

    @property
    def correct(self) -> bool:
        """Whether there is an answer and it is the truth, or the judge of open answers takes it for that."""
        return self.answer is not None and (self.right or (self.truth is not None and self.answer == self.truth))

    @property
    def is_labelled(self) -> bool:
        """Whether it is known if the answer is right, so that figures and evidence can be made of it."""
        return self.truth is not None or self.right is not None

    @classmethod
    def of(
        cls, question: Question, answer: Answer, judge: Judge | None = None, about: Mapping[str, float] | None = None
    ) -> Self:
        """Record an estimator's answer; a judge says whether that to an open question is right.

        Args:
            question: The question.
            answer: The answer to it.
            judge: The judge of open answers, or None.
            about: Signals of the question itself, which go beside the estimator's.
        """
        verdict, guidance, cost = answer.verdict, answer.guidance, answer.cost
        invalid = verdict.reason if isinstance(verdict, Invalid) else None
        stated = None if isinstance(verdict, Invalid) else verdict
        right = None
        if judge is not None and not question.options and question.open_answer is not None:
            right = stated is not None and judge(stated.answer, question.open_answer)
        chosen = question.options.get(stated.answer) if stated is not None else None
        signals = {**answer.signals, **word_signals(question.text, chosen), **(about or {})}
        return cls(
            id=question.id,
            estimator=answer.estimator,
            truth=question.answer,
            expected=question.open_answer,
            right=right,
            groups=dict(question.groups),
            picture=_picture(question.image),
            answer=_unicode(stated.answer) if stated else None,
            confidence=stated.confidence if stated else None,
            invalid=invalid,
            text=_unicode(answer.text),
            guidance=GuidanceRecord(text=_unicode(guidance.text), version=guidance.version) if guidance else None,
            cost=CostRecord(
                calls=cost.calls,
                prompt_tokens=cost.prompt_tokens,
                completion_tokens=cost.completion_tokens,
                seconds=cost.seconds,
            ),
            signals={name: value for name, value in signals.items() if math.isfinite(value)},
        )

    @classmethod
    def failed(cls, question: Question, estimator: str, error: TransportError) -> Self:
        """Record that there is no answer, which is not a model's outcome."""
        failure = Failure(
            service=error.service, detail=_unicode(error.detail), timed_out=error.timed_out, status=error.status
        )
        return cls(
            id=question.id,
            estimator=estimator,
            truth=question.answer,
            expected=question.open_answer,
            groups=dict(question.groups),
            picture=_picture(question.image),
            failure=failure,
        )

    def line(self) -> bytes:
        """Write as one line of JSON, fields that hold nothing left out."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(fields, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _picture(file: Path | None) -> str | None:
    # With its folder's name, since some data sets call every picture alike; hashed, since names may be of patients.
    return None if file is None else hashlib.sha256("/".join(file.parts[-2:]).encode()).hexdigest()[:16]


def _unicode(text: str) -> str:
    # A model's JSON may escape half of a surrogate pair, which no file can hold.
    return text.encode("utf-8", "replace").decode("utf-8")


def read_predictions(path: Path) -> list[Prediction]:
    """Read a predictions table; of several lines with one key (a failure, then a success) the last one counts.

    Args:
        path: The table, or the run's folder.

    Returns:
        The predictions in the order of their last lines. A last line without a newline is a write in progress and is
        ignored.

    Raises:
        TableError: If there is no such file, or a line is not a prediction.
    """
    path = path / FILE if path.is_dir() else path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path}: {error.strerror or error}") from error
    table: dict[tuple[str, str], Prediction] = {}
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            prediction = Prediction.model_validate_json(line)
        except ValidationError as error:
            raise TableError(f"{path}: line {number} is not a prediction: {error.errors()[0]['msg']}") from error
        table.pop(prediction.key, None)
        table[prediction.key] = prediction
    return list(table.values())
