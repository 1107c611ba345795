"""The fifth stage: the answer is given or left to a person, and the options that remain are chosen."""

from __future__ import annotations

from dataclasses import dataclass

from prompt4trust.estimators.base import Answer
from prompt4trust.verdict import Verdict
from services.gateway.answering.calibration import Confidence
from services.gateway.answering.option_sets import choose_options
from services.gateway.answering.promises import Promised, Unproved, Withheld, promise_for
from services.gateway.answering.rules import (
    Decision,
    GuardScore,
    Source,
    decide_by_threshold,
    decide_unproved,
    decide_with_guarantee,
    decide_without_promise,
)
from services.gateway.intake.query import Query
from services.gateway.question_schemas import Ask
from services.gateway.schemas import DecisionBasis, OptionSetReply
from services.gateway.shelves.evidence import Evidence
from services.gateway.shelves.guards import Guard


@dataclass(frozen=True, slots=True)
class DecisionDefaults:
    """Wishes that hold where a request names none.

    Attributes:
        threshold: Least calibrated confidence at which an answer is given where no risk is named.
        max_risk: Largest accepted share of wrong answers, or None for the threshold.
        coverage: Rate at which option sets hold the right option.
    """

    threshold: float
    max_risk: float | None
    coverage: float

    def max_risk_of(self, ask: Ask) -> float | None:
        """Give the largest share of wrong answers that a question accepts."""
        return self.max_risk if ask.max_risk is None else ask.max_risk

    def coverage_of(self, ask: Ask) -> float:
        """Give the rate at which the option set of a question is to hold the right option."""
        return self.coverage if ask.coverage is None else ask.coverage


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on an answer, and the options that remain, or why there is no set of them."""

    decision: Decision
    basis: DecisionBasis
    option_set: OptionSetReply | None
    option_set_reason: str | None


def decide(
    query: Query, answer: Answer, evidence: Evidence, confidence: Confidence, defaults: DecisionDefaults
) -> Decided:
    """Decide on one answer.

    Args:
        query: The question.
        answer: What the models made of it.
        evidence: What promises about the answer rest on.
        confidence: Its confidence, and why nothing is promised where that is so.
        defaults: What holds where the question does not say.
    """
    max_risk = defaults.max_risk_of(query.ask)
    source: Source = "default" if query.ask.max_risk is None else "max_risk"
    if confidence.withheld is not None:
        return _without_promise(evidence, confidence, confidence.withheld, max_risk, source)
    decision, basis, unproved = _by_rule(query, answer, evidence, confidence, defaults.threshold, max_risk, source)
    if unproved is not None:
        return Decided(decision, basis, None, f"no coverage is promised: {unproved.reason}")
    options, why_none = choose_options(query, answer, evidence, defaults.coverage_of(query.ask))
    return Decided(decision, basis, options, why_none)


def _by_rule(
    query: Query,
    answer: Answer,
    evidence: Evidence,
    confidence: Confidence,
    threshold: float,
    max_risk: float | None,
    source: Source,
) -> tuple[Decision, DecisionBasis, Unproved | None]:
    guard, calibration = evidence.fitting_guard, confidence.calibration
    if max_risk is not None and guard is not None:
        stated = guard.artifact.scale == "stated"
        compared = calibration.stated_confidence if stated else confidence.value
        # A calibrator that lacks a signal of this answer leaves the confidence as it was stated: not comparable.
        scored = None
        if isinstance(answer.verdict, Verdict) and compared is not None and (stated or calibration.calibrated):
            scored = GuardScore(compared, guard.artifact.score(compared, [query.digest]))
        if scored is not None or confidence.unreadable is not None:
            return _by_guard(query, scored, evidence, guard, confidence.unreadable, max_risk, source)
    decision, basis = decide_by_threshold(
        confidence.value if calibration.calibrated else None,
        max_risk=max_risk,
        threshold=threshold,
        why_not=confidence.unreadable or calibration.reason,
        has_verdict=confidence.unreadable is None,
        source=source,
    )
    if max_risk is not None and evidence.guard_misfit is not None:
        reason = f"{basis.reason} Nothing can be guaranteed: {evidence.guard_misfit}."
        basis = basis.model_copy(update={"reason": reason})
    return decision, basis, None


def _by_guard(
    query: Query,
    scored: GuardScore | None,
    evidence: Evidence,
    guard: Guard,
    unreadable: str | None,
    max_risk: float,
    source: Source,
) -> tuple[Decision, DecisionBasis, Unproved | None]:
    promised = promise_for(guard, evidence.calibrator, query.ask.groups)
    if isinstance(promised, Promised):
        decision, basis = decide_with_guarantee(
            scored, guard=guard, promised=promised, max_risk=max_risk, source=source, why_not=unreadable
        )
        return decision, basis, None
    decision, basis = decide_unproved(promised.reason, scale=guard.artifact.scale, max_risk=max_risk, source=source)
    if unreadable is not None:  # the plainer reason
        basis = basis.model_copy(update={"code": "no-verdict", "reason": f"A person should answer: {unreadable}."})
    return decision, basis, promised


def _without_promise(
    evidence: Evidence, confidence: Confidence, withheld: Withheld, max_risk: float | None, source: Source
) -> Decided:
    guard = None if max_risk is None else evidence.fitting_guard
    decision, basis = decide_without_promise(
        withheld,
        rule="confidence-threshold" if guard is None else "risk-control",
        scale="calibrated" if guard is None else guard.artifact.scale,
        max_risk=max_risk,
        source=source,
        unreadable=confidence.unreadable,
    )
    return Decided(decision, basis, None, f"no coverage is promised: {withheld.reason}")
