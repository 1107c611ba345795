"""Results: what the gateway says of a question, so that a guess cannot be taken for an answer.

The fields are those of the reply to POST /vqa. New ones of a newer gateway are kept in `raw` and do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from prompt4trust.shares import in_percent
from trustvqa.client.reading import UnreadableReplyError, read

_FEWEST_LEFT = 2
_WOULD_TELL = "the set has fewer than two options: it would be the guess, and the question is left to a person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationInfo:
    """The origin of a confidence.

    Attributes:
        calibrated: Whether it was corrected by a calibrator that was fitted for exactly such answers.
        calibrator: Name of the calibrator, or None.
        stated_confidence: Confidence before any correction, in [0, 1], or None.
        interval: Ends between which the calibrated confidence lies, where the calibrator gives them.
        fitted_on: What the calibrator was fitted on: `n`, `dataset`, `ece`, `date`; or None.
        reason: Why the confidence is not calibrated, where it is not.
        alarm: What reviews show, where they show that the calibrator no longer holds.
        groups: The question's groups that have a correction of their own.
    """

    calibrated: bool = False
    calibrator: str | None = None
    stated_confidence: float | None = None
    interval: tuple[float, float] | None = None
    fitted_on: Mapping[str, Any] | None = None
    reason: str | None = None
    alarm: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionInfo:
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
        groups: The group whose guarantee it is; empty where it is over all questions.
    """

    code: str = ""
    reason: str = ""
    rule: str = ""
    guarantee: bool = False
    threshold: float | None = None
    max_risk: float | None = None
    delta: float | None = None
    evidence: Mapping[str, Any] | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSetInfo:
    """Options that hold the right one at a known rate.

    Attributes:
        letters: The options; two or more where the question is left to a person.
        coverage: The rate, in (0, 1).
        reason: The same for a person.
    """

    letters: tuple[str, ...]
    coverage: float | None = None
    reason: str = ""


def _with_guess(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Call a guess what a deferral holds of a model's words, an option set of one among them."""
    told = dict(reply)
    for name, guess in (("answer", "guess"), ("explanation", "guess_explanation"), ("model_text", "guess_model_text")):
        said = told.get(name)
        if said is not None:
            told |= {name: None, guess: told.get(guess) or said}
    letters = (told.get("option_set") or {}).get("letters")
    if letters is not None and len(letters) < _FEWEST_LEFT:
        told |= {"option_set": None, "option_set_reason": _WOULD_TELL}
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class VqaResult:
    """A result: an answer whose confidence can be trusted, or the decision to leave the question to a person.

    What the model said where the decision is to defer is in fields that are called a guess alone, here and in `raw`,
    and in no text that is printed. It is there to be compared with what a person finds, and is no answer.

    Attributes:
        id: Id of the answer, for feedback.
        decision: "answer", or "defer": leave the question to a person.
        answer: The answer; None where the question is left to a person.
        confidence: In [0, 1]; calibrated if and only if `calibration.calibrated`; None where the model's reply could
            not be read.
        calibration: Where the confidence comes from.
        decision_basis: Why the decision is what it is.
        options: Letter -> text of the options as the gateway read them, from the question's own lines where the request
            named none; empty for an open question, and from a gateway that does not say.
        option_set: Options that hold the right one at a known rate, or None; None also for a deferral whose set is of
            one option, which would be the guess.
        option_set_reason: Why there is none.
        atypicality: How unlike the questions behind the promises this one is, or None.
        guidance_prompt: The calibration guidance prompt that was used, or None.
        models: "policy" and "downstream" -> the model that answered, or None; "second_downstream" -> the second model,
            only where its opinion counted for the confidence.
        degraded: What was done without.
        timing_ms: Milliseconds by part.
        recorded: Whether the answer is kept, so that feedback on it can be.
        replayed: Whether the answer was given before, to the same line of a batch; texts may be missing then.
        statement: What came of the question, for people; it names no answer that is not given. Empty from a gateway
            that says none.
        explanation: The text in which the model gave its answer, its own numbers of confidence left out and its words
            of certainty marked; None where the question is left to a person.
        model_text: What the model wrote, as it came; None where the question is left to a person.
        guess: What the model chose where the question is left to a person, not to be relied on; None where the answer
            is given, or the model's reply could not be read.
        guess_explanation: The explanation of a guess, as little to be relied on.
        guess_model_text: What the model wrote, where the question is left to a person.
        raw: The whole reply. Gateways of before called a guess `answer` where they deferred; here it is under `guess`.

    Example:
        >>> reply = {"id": "1", "decision": "defer", "guess": {"letter": "B", "text": "Oval"}, "confidence": 0.4}
        >>> result = VqaResult.from_reply(reply)
        >>> result.answer is None, result.guess.letter
        (True, 'B')
        >>> print(result)
        deferred to a person
    """

    id: str
    decision: Literal["answer", "defer"]
    answer: Choice | None = None
    confidence: float | None = None
    calibration: CalibrationInfo = field(default_factory=CalibrationInfo)
    decision_basis: DecisionInfo = field(default_factory=DecisionInfo)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    option_set: OptionSetInfo | None = None
    option_set_reason: str | None = None
    atypicality: Mapping[str, Any] | None = None
    guidance_prompt: str | None = None
    models: Mapping[str, str | None] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    recorded: bool = False
    replayed: bool = False
    statement: str = ""
    explanation: str | None = None
    model_text: str | None = field(default=None, repr=False)
    guess: Choice | None = field(default=None, repr=False)
    guess_explanation: str | None = field(default=None, repr=False)
    guess_model_text: str | None = field(default=None, repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any], *, replayed: bool = False) -> Self:
        """Read a gateway's reply; what a gateway of before says of a deferral becomes a guess by name.

        Args:
            reply: The JSON of a 200 from POST /vqa, or of a line of POST /vqa/batch.
            replayed: Whether it is a reply of before.

        Raises:
            ValueError, TypeError, AttributeError: If it is none.
        """
        told = _with_guess(reply) if reply.get("decision") == "defer" else dict(reply)
        result = read(cls, {**told, "replayed": replayed, "raw": told})
        if result.confidence is not None and not 0.0 <= result.confidence <= 1.0:
            raise UnreadableReplyError("VqaResult.confidence is not in [0, 1]")
        return result

    @property
    def is_deferred(self) -> bool:
        """Whether the question is left to a person."""
        return self.decision == "defer"

    def __str__(self) -> str:
        """Show it for a person, without the guess of a question that is left to one."""
        if self.answer is None:
            reason = self.decision_basis.reason
            return f"deferred to a person: {reason}" if reason else "deferred to a person"
        sure = "" if self.confidence is None else f" ({in_percent(self.confidence)}, {self._origin})"
        return f"{self.answer}{sure}"

    @property
    def _origin(self) -> str:
        return "calibrated" if self.calibration.calibrated else "not calibrated"
