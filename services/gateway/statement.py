"""A reply's statement for people, made from the decision, the calibrated number and the guarantee alone.

Chat, page and command line show it. Nothing of a model's own words is in it, but the text of an answer to an open
question, whose words of certainty are marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from prompt4trust.shares import of_hundred
from prompt4trust.verdict import mark_self_assessments
from services.gateway.schemas import Calibration, ChosenAnswer, DecisionBasis, DecisionCode

NO_ANSWER: Final = "There is no reliable answer to this question."
"""The first words of every deferral."""
UNCALIBRATED: Final = "The confidence is not calibrated, so that none is stated."
"""The reason of an answer without a confidence."""
_WHY_DEFERRED: Final[Mapping[DecisionCode, str]] = {
    "not-confident-enough": "The confidence is below what this gateway gives answers at.",
    "risk-not-achievable": "At no confidence do the checked answers keep to the share of wrong ones that is accepted.",
    "not-calibrated": "The confidence of these models is not calibrated, so that it cannot be relied on.",
    "no-verdict": "The model's reply holds no answer that can be read.",
    "atypical-input": "The question or the picture is unlike those that the promises rest on.",
    "atypicality-unknown": "How unlike the checked questions this one is is not known.",
    "answer-contradicted": "The picture's looks speak against what the model answers.",
    "group-unproved": "For questions of this group no share of wrong answers was proved.",
    "calibration-alarm": "Reviews show that the confidence of these models no longer holds.",
}
_ENDS: Final = (".", "!", "?", "。", "！", "？")


def statement_of(
    decision: Literal["answer", "defer"],
    answer: ChosenAnswer | None,
    confidence: float | None,
    calibration: Calibration,
    basis: DecisionBasis,
) -> str:
    """Put in words what came of a question.

    Args:
        decision: Whether the answer is given.
        answer: What the model chose; it is not named where it is not given.
        confidence: In [0, 1]; it is called right so many times in 100 only where it is calibrated.
        calibration: Where it comes from.
        basis: Why it was decided so.

    Returns:
        Sentences such as "B (Oval). Of 100 answers like this one about 82 were right. Guarantee: at most 10 % of such
        answers are wrong."

    Example:
        >>> basis = DecisionBasis(
        ...     rule="confidence-threshold", threshold=0.8, scale="calibrated", source="default", guarantee=False,
        ...     code="confident-enough", reason="")
        >>> oval = ChosenAnswer(letter="B", text="Oval")
        >>> statement_of("answer", oval, 0.824, Calibration(calibrated=True), basis)
        'B (Oval). Of 100 answers like this one about 82 were right. No guarantee.'
        >>> statement_of("defer", oval, 0.3, Calibration(calibrated=True), basis)
        'There is no reliable answer to this question. A person should judge it.'
    """
    if decision != "answer" or answer is None:
        return f"{NO_ANSWER} A person should judge it."
    named = f"{answer.letter} ({answer.text})" if answer.letter else mark_self_assessments(answer.text).strip()
    calibrated = confidence if calibration.calibrated else None
    parts = [
        named if named.endswith(_ENDS) else f"{named}.",
        _counts(calibrated, calibration.reason),
        guarantee_of(calibrated, basis),
    ]
    return " ".join(parts)


def reason_of(basis: DecisionBasis, *, is_given: bool, is_calibrated: bool) -> str:
    """Give the reason why an answer is given or left to a person, without a number that is not calibrated.

    `basis.reason` says it exactly. It quotes the confidence of what is not shown where a question is left to a
    person, and the stated confidence where a guard compares that.

    Args:
        basis: What decided.
        is_given: Whether an answer is shown.
        is_calibrated: Whether its confidence is.

    Example:
        >>> basis = DecisionBasis(
        ...     rule="risk-control", threshold=0.8, scale="stated", source="default", guarantee=True,
        ...     code="not-confident-enough", reason="A person should answer: the stated confidence 0.7 is below 0.8.")
        >>> reason_of(basis, is_given=False, is_calibrated=True)
        'The confidence is below what this gateway gives answers at.'
        >>> reason_of(basis, is_given=True, is_calibrated=False)
        'The confidence is not calibrated, so that none is stated.'
    """
    if not is_given:
        return _WHY_DEFERRED.get(basis.code, "No answer can be relied on here.")
    if not is_calibrated:
        return UNCALIBRATED
    return basis.reason if basis.scale == "calibrated" else "The confidence is calibrated."


def _counts(confidence: float | None, why_not: str | None) -> str:
    if confidence is None:
        why = f": {why_not}" if why_not else ""
        return (
            f"How many of 100 answers like this one are right is not known, as its confidence is not calibrated{why}."
        )
    poor = " More often wrong than right." if confidence < 0.5 else ""
    return f"Of 100 answers like this one {of_hundred(confidence)} right.{poor}"


def guarantee_of(confidence: float | None, basis: DecisionBasis) -> str:
    """Put in words the guarantee of an answer that is given.

    Args:
        confidence: Its calibrated confidence in [0, 1], or None.
        basis: What decided.

    Example:
        >>> basis = DecisionBasis(
        ...     rule="risk-control", threshold=0.8, scale="stated", source="max_risk", guarantee=True, max_risk=0.1,
        ...     code="confident-enough", reason="")
        >>> guarantee_of(0.95, basis), guarantee_of(0.95, basis.model_copy(update={"guarantee": False}))
        ('Guarantee: at most 10 % of such answers are wrong.', 'No guarantee.')
    """
    if not basis.guarantee or basis.max_risk is None:
        return "No guarantee."
    among = " in its group" if basis.groups else ""  # not which: a DICOM object may have stated it, not who asks
    promise = f"Guarantee: at most {100 * basis.max_risk:.3g} % of such answers{among} are wrong"
    less = confidence is not None and confidence < 1 - basis.max_risk
    return f"{promise}; this one is less sure than that." if less else f"{promise}."
