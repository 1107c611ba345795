"""Results: what the gateway says of a question, so that a guess cannot be taken for an answer.

The fields are those of the reply to POST /vqa. New ones of a newer gateway are kept in `raw` and do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

_NEARLY_ONE = 0.99
_FEWEST_LEFT = 2


def percent(share: float) -> str:
    """Write a probability in percent; what is not certain is never written as if it were.

    Example:
        >>> percent(0.9957), percent(0.82), percent(0.004), percent(1.0)
        ('more than 99 %', '82 %', 'less than 1 %', 'more than 99 %')
    """
    if share > _NEARLY_ONE:
        return "more than 99 %"
    return "less than 1 %" if share < 1 - _NEARLY_ONE else f"{100 * share:.0f} %"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Choice(_Part):
    """An option, or for an open question a text.

    Attributes:
        letter: Letter of the option; None for an open question.
        text: Text of the option, or the text.
    """

    letter: str | None = None
    text: str

    def __str__(self) -> str:
        """Show it for a person."""
        return f"{self.letter}. {self.text}" if self.letter else self.text


class CalibrationInfo(_Part):
    """The origin of a confidence.

    Attributes:
        calibrated: Whether it was corrected by a calibrator that was fitted for exactly such answers.
        calibrator: Name of the calibrator, or None.
        stated_confidence: Confidence before any correction, in [0, 1], or None.
        interval: Ends between which the calibrated confidence lies, where the calibrator gives them.
        fitted_on: What the calibrator was fitted on: `n`, `dataset`, `ece`, `date`; or None.
        reason: Why the confidence is not calibrated, where it is not.
        alarm: What reviews show, where they show that the calibrator no longer holds.
    """

    calibrated: bool = False
    calibrator: str | None = None
    stated_confidence: float | None = None
    interval: tuple[float, float] | None = None
    fitted_on: Mapping[str, Any] | None = None
    reason: str | None = None
    alarm: str | None = None


class DecisionInfo(_Part):
    """The ground of a decision.

    Attributes:
        code: The outcome as a stable word, such as "not-confident-enough".
        reason: The outcome for a person.
        rule: "risk-control", or "confidence-threshold".
        guarantee: Whether the share of errors among such answers is bounded with a proof.
        threshold: Least confidence at which an answer is given, or None.
        max_risk: Largest accepted share of errors, or None.
        delta: Probability with which the guarantee may fail, or None.
        evidence: What the guarantee rests on, or None.
    """

    code: str = ""
    reason: str = ""
    rule: str = ""
    guarantee: bool = False
    threshold: float | None = None
    max_risk: float | None = None
    delta: float | None = None
    evidence: Mapping[str, Any] | None = None


class OptionSetInfo(_Part):
    """Options that hold the right one at a known rate.

    Attributes:
        letters: The options; two or more where the question is left to a person.
        coverage: The rate, in (0, 1).
        reason: The same for a person.
    """

    letters: tuple[str, ...]
    coverage: float | None = None
    reason: str = ""


class VqaResult(_Part):
    """A result: an answer whose confidence can be trusted, or the decision to leave the question to a person.

    What the model said where the decision is to defer is in `model_guess`, `model_text` and `raw` alone, and in no text
    that is printed. It is there to be compared with what a person finds, and is no answer.

    Attributes:
        id: Id of the answer, for feedback.
        decision: "answer", or "defer": leave the question to a person.
        confidence: In [0, 1]; calibrated if and only if `calibration.calibrated`; None where the model's reply could
            not be read.
        calibration: Where the confidence comes from.
        decision_basis: Why the decision is what it is.
        option_set: Options that hold the right one at a known rate, or None; None also for a deferral whose set is of
            one option, which would be the guess (it is in `raw`).
        option_set_reason: Why there is none.
        atypicality: How unlike the questions behind the promises this one is, or None.
        guidance_prompt: The calibration guidance prompt that was used, or None.
        models: "policy" and "downstream" -> the model that answered, or None.
        degraded: What was done without.
        timing_ms: Milliseconds by part.
        recorded: Whether the answer is kept, so that feedback on it can be.
        replayed: Whether the answer was given before, to the same line of a batch; texts may be missing then.
        model_guess: What the model chose, whatever the decision is; None where its reply could not be read.
        model_text: What the model wrote, whatever the decision is.
        raw: The whole reply as it came.

    Example:
        >>> reply = {"id": "1", "decision": "defer", "answer": {"letter": "B", "text": "Oval"}, "confidence": 0.4}
        >>> result = VqaResult.from_reply(reply)
        >>> result.answer is None, result.model_guess.letter
        (True, 'B')
        >>> print(result)
        deferred to a person
    """

    id: str
    decision: Literal["answer", "defer"]
    confidence: float | None = None
    calibration: CalibrationInfo = Field(default_factory=CalibrationInfo)
    decision_basis: DecisionInfo = Field(default_factory=DecisionInfo)
    option_set: OptionSetInfo | None = None
    option_set_reason: str | None = None
    atypicality: Mapping[str, Any] | None = None
    guidance_prompt: str | None = None
    models: Mapping[str, str | None] = Field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    timing_ms: Mapping[str, float] = Field(default_factory=dict)
    recorded: bool = False
    replayed: bool = False
    model_guess: Choice | None = Field(default=None, repr=False)
    model_text: str = Field(default="", repr=False)
    raw: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any], *, replayed: bool = False) -> Self:
        """Read a gateway's reply; of a deferral it drops an option set of one, which would say the guess.

        Args:
            reply: The JSON of a 200 from POST /vqa, or of a line of POST /vqa/batch.
            replayed: Whether it is a reply of before.

        Raises:
            ValidationError: If it is none.
        """
        own = {"replayed": replayed, "model_guess": reply.get("answer"), "model_text": reply.get("explanation") or ""}
        read = cls.model_validate({**reply, **own, "raw": reply})
        if read.is_deferred and read.option_set is not None and len(read.option_set.letters) < _FEWEST_LEFT:
            why = "The set has fewer than two options: it would be the guess, and the question is left to a person."
            return read.model_copy(update={"option_set": None, "option_set_reason": why})
        return read

    @property
    def answer(self) -> Choice | None:
        """The answer; None where the question is left to a person."""
        return self.model_guess if self.decision == "answer" else None

    @property
    def is_deferred(self) -> bool:
        """Whether the question is left to a person."""
        return self.decision == "defer"

    @property
    def explanation(self) -> str | None:
        """The text in which the model gave its answer; None where the question is left to a person."""
        return self.model_text if self.decision == "answer" else None

    def __str__(self) -> str:
        """Show it for a person, without the guess of a question that is left to one."""
        if self.answer is None:
            reason = self.decision_basis.reason
            return f"deferred to a person: {reason}" if reason else "deferred to a person"
        sure = "" if self.confidence is None else f" ({percent(self.confidence)}, {self._origin})"
        return f"{self.answer}{sure}"

    @property
    def _origin(self) -> str:
        return "calibrated" if self.calibration.calibrated else "not calibrated"
