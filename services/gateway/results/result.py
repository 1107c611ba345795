"""The result of a question: what every structured form of a reply tells, and nothing that it must not tell."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict

from prompt4trust.pictures.dicom import DicomSource
from services.common.http.health import software_version
from services.common.http.openapi.quantities import Share
from services.gateway.answering.reply import Answered
from services.gateway.chat.reply_values import told_confidence
from services.gateway.intake.query import Query
from services.gateway.schemas import ChosenAnswer, DecisionCode, ModelsUsed, OptionSetReply, VqaReply
from services.gateway.statement import NO_ANSWER, reason_of

_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"


class AnswerResult(BaseModel):
    """A result.

    What the model guessed where a question is left to a person is not in it, nor a confidence that is not calibrated,
    nor anything of the patient: of the source there are identifiers of study, series and instance.

    Attributes:
        id: The answer's.
        at: When it was decided.
        question: The question.
        options: Letter -> text; empty for an open question.
        method: How the confidence was obtained.
        decision: "answer", or "defer" to a person.
        code: Why, as a stable word.
        note: Why, for a person; of a deferral it holds no number.
        answer: The answer; None where the question is left to a person.
        confidence: Calibrated probability that the answer is right; None without an answer or a calibrator.
        interval: Ends between which it lies, where the calibrator gives them.
        calibrator: Name of the calibrator; None without a confidence.
        option_set: Options that hold the right one at a known rate, or None.
        guarantee: Whether the share of errors among such answers is bounded with a proof.
        max_risk: Largest accepted share of wrong answers, or None.
        models: Who answered.
        degraded: What was done without.
        software: The gateway's version.
        source: The DICOM instance that the picture is of; None for other pictures.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    at: datetime
    question: str
    options: dict[str, str]
    method: str
    decision: Literal["answer", "defer"]
    code: DecisionCode
    note: str
    answer: ChosenAnswer | None
    confidence: Share | None
    interval: tuple[Share, Share] | None
    calibrator: str | None
    option_set: OptionSetReply | None
    guarantee: bool
    max_risk: Share | None
    models: ModelsUsed
    degraded: list[str]
    software: str
    source: DicomSource | None

    def kept(self) -> dict[str, Any]:
        """Give what a record keeps of it, for `AnswerResult.told_again`; the source has a place of its own there."""
        return self.model_dump(mode="json", exclude={"source"})

    @classmethod
    def told_again(cls, kept: Mapping[str, Any], source: Mapping[str, Any] | None) -> Self:
        """Make the result of what a record kept.

        Args:
            kept: From `kept`.
            source: Fields of the DicomSource, or None.

        Raises:
            ValidationError: If it is no result of this version.
        """
        return cls.model_validate({**kept, "source": source})

    def options_in_words(self, letters: list[str] | None = None) -> str:
        """Write options in one line, all or those of some letters.

        Example: `A: Round; B: Oval`.
        """
        return "; ".join(f"{letter}: {self.options[letter]}" for letter in (letters or self.options))


def result_of(answered: Answered) -> AnswerResult:
    """Sum up an answer."""
    query, reply = answered.query, answered.reply(recorded=False)
    answer, calibration = reply.answer, reply.calibration
    confidence = told_confidence(reply)
    is_stated = confidence is not None
    return AnswerResult(
        id=reply.id,
        at=answered.at,
        question=_writable(query.ask.question),
        options={letter: _writable(text) for letter, text in query.ask.options.items()},
        method=answered.asked.key.estimator,
        decision=reply.decision,
        code=reply.decision_basis.code,
        note=_note(reply, is_stated=is_stated),
        answer=None if answer is None else ChosenAnswer(letter=answer.letter, text=_writable(answer.text)),
        confidence=confidence,
        interval=calibration.interval if is_stated else None,
        calibrator=calibration.calibrator if is_stated else None,
        option_set=reply.option_set,
        guarantee=reply.decision_basis.guarantee,
        max_risk=reply.decision_basis.max_risk,
        models=reply.models,
        degraded=list(reply.degraded),
        software=software_version(),
        source=source_of(query),
    )


def can_be_referenced(source: DicomSource | None) -> bool:
    """Whether a report can be about a DICOM instance: not where the object names itself by no valid identifiers."""
    if source is None:
        return False
    return all((source.study_uid, source.series_uid, source.sop_class_uid, source.sop_instance_uid))


def source_of(query: Query) -> DicomSource | None:
    """Find the DICOM instance that a query's picture is of, or None."""
    return query.picture.origin.dicom


def _note(reply: VqaReply, *, is_stated: bool) -> str:
    is_given = reply.decision == "answer"
    why = reason_of(reply.decision_basis, is_given=is_given, is_calibrated=is_stated)
    return why if is_given else f"{NO_ANSWER} {why} A person should answer."


def _writable(text: str) -> str:
    """Replace what FHIR, DICOM and databases cannot hold: control characters and half surrogate pairs."""
    kept = "".join(
        _REPLACED if unicodedata.category(each) in ("Cc", "Cs") and each not in "\r\n\t" else each for each in text
    )
    return kept if kept.strip() else _REPLACED
