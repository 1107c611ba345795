"""The fourth stage: the stated confidence is corrected, where a calibrator fits and its promise holds here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prompt4trust.estimators.base import Answer
from prompt4trust.question_signals.typicality import is_typicality
from prompt4trust.verdict import Invalid, InvalidReason
from services.gateway.answering.promises import Withheld
from services.gateway.intake.query import Query
from services.gateway.schemas import Calibration, FittedOn, Lack
from services.gateway.shelves.calibrators import FittedCalibrator
from services.gateway.shelves.evidence import Evidence

_UNREADABLE: Mapping[InvalidReason, str] = {
    "empty": "the model's reply was empty",
    "no_answer": "the model's reply states no answer",
    "no_confidence": "the model's reply states no confidence",
    "unknown_option": "the model's reply names none of the options",
    "ambiguous": "the model's reply states several answers or confidences that differ",
    "cut_off": "the model's reply was cut off within its thoughts or its verdict",
    "leading_question": "the question or an option reads as a verdict, so that a reply could merely repeat it",
    "no_logprobs": "the model's server gave no probabilities for its answer",
    "no_options": "this method needs options to choose from",
    "no_image": "this method needs a picture",
    "parser_failed": "the parser that this deployment names could not read the model's reply",
}


@dataclass(frozen=True, slots=True)
class Confidence:
    """The confidence of an answer, and where it comes from.

    Attributes:
        value: Calibrated where the calibration says so, else as stated; None without a verdict.
        calibration: Where it comes from.
        lacks: What it is without.
        unreadable: Why there is no verdict, where there is none.
        withheld: Why nothing is promised of the answer, where that is so.
    """

    value: float | None
    calibration: Calibration
    lacks: tuple[Lack, ...] = ()
    unreadable: str | None = None
    withheld: Withheld | None = None


def calibrate(query: Query, answer: Answer, evidence: Evidence, withheld: Withheld | None) -> Confidence:
    """Correct the confidence of an answer.

    Args:
        query: The question.
        answer: What the models made of it.
        evidence: What promises about the answer rest on.
        withheld: Why nothing is promised: the calibrator was checked on questions unlike this one, or no longer holds.
            The correction, too, is such a promise.
    """
    verdict, calibrator = answer.verdict, evidence.calibrator
    alarm = evidence.alarm
    alarmed: tuple[Lack, ...] = () if alarm is None else ("calibration-alarm",)
    if isinstance(verdict, Invalid):
        nothing = Calibration(calibrated=False, reason="there is no stated confidence to calibrate", alarm=alarm)
        return Confidence(None, nothing, alarmed, _UNREADABLE[verdict.reason], withheld)

    def as_stated(reason: str, *lacks: Lack) -> Confidence:
        stated = Calibration(calibrated=False, stated_confidence=verdict.confidence, reason=reason, alarm=alarm)
        return Confidence(verdict.confidence, stated, (*lacks, *alarmed), withheld=withheld)

    if calibrator is None:
        if evidence.misfit is not None:
            return as_stated(f"no calibrator fits this answer: {evidence.misfit}", "calibrator")
        if not query.ask.options:
            # Nothing is amiss: no such calibrator ships, and whoever asks open questions may fit one.
            return as_stated(
                "no calibrator was fitted on open questions for these models, this method and this wording"
            )
        return as_stated("no calibrator was fitted for these models, this method and this wording", "calibrator")
    if missing := calibrator.missing(answer.signals):
        return as_stated(
            f"the calibrator needs what this answer lacks: {', '.join(map(_named, missing))}", "calibrator"
        )
    if withheld is not None:
        return as_stated(withheld.reason)
    groups = query.ask.groups
    corrected = round(calibrator.apply(verdict.confidence, answer.signals, groups), 4)
    return Confidence(corrected, _corrected(calibrator, verdict.confidence, answer.signals, groups, alarm), alarmed)


def _named(signal: str) -> str:
    """Name a signal that an answer lacks."""
    if not is_typicality(signal):
        return signal
    return f"{signal} (the registry does not hold, as they were, the reference inputs that it was fitted with)"


def _corrected(
    calibrator: FittedCalibrator,
    stated: float,
    signals: Mapping[str, float],
    groups: Mapping[str, str],
    alarm: str | None,
) -> Calibration:
    fitted, ends = calibrator.artifact, calibrator.interval(stated, signals, groups)
    return Calibration(
        calibrated=True,
        calibrator=fitted.name,
        stated_confidence=stated,
        interval=None if ends is None else (round(ends[0], 4), round(ends[1], 4)),
        fitted_on=FittedOn(
            n=fitted.n, dataset=fitted.dataset, ece=calibrator.ece, date=fitted.created.date().isoformat()
        ),
        groups=calibrator.known_groups(groups),
        alarm=alarm,
    )
