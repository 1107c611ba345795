"""The rules by which an answer is given, or left to a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prompt4trust.selection import Limit, level_of
from services.gateway.answering.promises import Promised, Withheld
from services.gateway.schemas import DecisionBasis, DecisionCode, SelectionEvidence
from services.gateway.shelves.guards import Guard

Decision = Literal["answer", "defer"]
Source = Literal["default", "max_risk"]


def decide_by_threshold(
    confidence: float | None,
    *,
    max_risk: float | None,
    threshold: float,
    why_not: str | None,
    has_verdict: bool,
    source: Source | None = None,
) -> tuple[Decision, DecisionBasis]:
    """Give an answer only on a calibrated confidence that reaches a threshold.

    If confidences are calibrated, answers given at c or more are wrong at most a share 1 - c of the time, so the
    largest acceptable share of errors r asks for a confidence of 1 - r. That rests on how well the calibrator fits
    what is asked today: it is a threshold and no guarantee, and the basis says so.

    Args:
        confidence: The calibrated confidence in [0, 1], or None where there is none.
        max_risk: The largest acceptable share of wrong answers, or None.
        threshold: The least confidence where nobody says.
        why_not: Why there is no calibrated confidence, where there is none.
        has_verdict: Whether the model's reply holds an answer.
        source: Who said so; None to take a max_risk for the client's.

    Returns:
        The decision and its basis.
    """
    least = threshold if max_risk is None else round(1.0 - max_risk, 6)

    def basis(
        code: Literal["confident-enough", "not-confident-enough", "not-calibrated", "no-verdict"], reason: str
    ) -> DecisionBasis:
        return DecisionBasis(
            rule="confidence-threshold",
            threshold=least,
            scale="calibrated",
            source=source or ("default" if max_risk is None else "max_risk"),
            max_risk=max_risk,
            guarantee=False,
            code=code,
            reason=reason,
        )

    if confidence is None:
        code: Literal["not-calibrated", "no-verdict"] = "not-calibrated" if has_verdict else "no-verdict"
        return "defer", basis(code, f"A person should answer: {why_not}.")
    wanted = f"{least:.4g}, the {'default threshold' if max_risk is None else 'threshold for the accepted risk'}"
    if confidence >= least:
        return "answer", basis(
            "confident-enough",
            f"The calibrated confidence {confidence:.4g} reaches {wanted} (a threshold, not a guarantee).",
        )
    return "defer", basis(
        "not-confident-enough",
        f"A person should answer: the calibrated confidence {confidence:.4g} is below {wanted}.",
    )


@dataclass(frozen=True, slots=True)
class GuardScore:
    """An answer as a guard sees it.

    Attributes:
        confidence: On the guard's scale, in [0, 1].
        score: Its selection score.
    """

    confidence: float
    score: float


def decide_without_promise(
    withheld: Withheld,
    *,
    rule: Literal["risk-control", "confidence-threshold"],
    scale: Literal["stated", "calibrated"],
    max_risk: float | None,
    source: Source,
    unreadable: str | None,
) -> tuple[Decision, DecisionBasis]:
    """Leave an answer to a person: what would have been promised of it was shown for other questions.

    Args:
        withheld: Why nothing is promised.
        rule: What would have decided.
        scale: Whose confidence it would have compared.
        max_risk: The largest acceptable share of wrong answers, or None.
        source: Who said so.
        unreadable: Why there is no answer, where there is none: a plainer reason, which then is the code.

    Returns:
        The decision and its basis.
    """
    code: DecisionCode = withheld.code if unreadable is None else "no-verdict"
    return "defer", DecisionBasis(
        rule=rule,
        threshold=None,
        scale=scale,
        source=source,
        max_risk=max_risk,
        guarantee=False,
        code=code,
        reason=f"A person should answer: {unreadable or withheld.reason}.",
    )


def decide_unproved(
    reason: str, *, scale: Literal["stated", "calibrated"], max_risk: float, source: Source
) -> tuple[Decision, DecisionBasis]:
    """Leave an answer to a person: the guarantee holds in groups, and of this question's nothing was proved.

    Args:
        reason: Why not, as the end of a sentence.
        scale: Whose confidence would have been compared.
        max_risk: The largest acceptable share of wrong answers among those given.
        source: Who said so.

    Returns:
        The decision and its basis.
    """
    return "defer", DecisionBasis(
        rule="risk-control",
        threshold=None,
        scale=scale,
        source=source,
        max_risk=max_risk,
        guarantee=False,
        code="group-unproved",
        reason=f"A person should answer: {reason}.",
    )


def decide_with_guarantee(
    answer: GuardScore | None,
    *,
    guard: Guard,
    promised: Promised,
    max_risk: float,
    source: Source,
    why_not: str | None,
) -> tuple[Decision, DecisionBasis]:
    """Give an answer only where the share of errors among such answers is proved to be at most max_risk.

    Args:
        answer: The answer, or None where the model's reply holds none: it is left to a person, always.
        guard: The evidence for these models, this method and this wording.
        promised: Those of its thresholds that hold for this question.
        max_risk: The largest acceptable share of wrong answers among those given.
        source: Who said so.
        why_not: Why there is no answer, where there is none.

    Returns:
        The decision and its basis.

    Source: see `prompt4trust.selection.risk`.
    """
    rule, checked, among = promised.rule, guard.artifact, promised.among
    limit = rule.at(max_risk)
    certainty, risk = _percent(1 - promised.delta), _percent(max_risk)

    def basis(
        code: Literal["confident-enough", "not-confident-enough", "risk-not-achievable", "no-verdict"], reason: str
    ) -> DecisionBasis:
        return DecisionBasis(
            rule="risk-control",
            threshold=None if limit is None else limit.confidence,
            scale=checked.scale,
            source=source,
            max_risk=max_risk,
            delta=promised.delta,
            guarantee=True,
            code=code,
            reason=reason,
            evidence=_evidence(guard, promised, limit),
            groups=dict(promised.groups),
        )

    if answer is None:
        return "defer", basis("no-verdict", f"A person should answer: {why_not}.")
    if limit is None:
        return "defer", basis(
            "risk-not-achievable",
            f"A person should answer every question at this risk: on {promised.rows} checked questions{among} no level "
            f"of confidence is shown, with {certainty} certainty, to keep the share of wrong answers to {risk} (the "
            f"least that is shown is {_percent(rule.least_risk)}).",
        )
    given = f"{checked.scale} confidence {answer.confidence:.4g}"
    apart = " about as many pictures" if checked.unit == "picture" else ""
    promise = (
        f"at most {risk} of the answers{among} are wrong, with {certainty} certainty ({limit.accepted} such answers"
        f"{apart} were checked, {limit.errors} of them wrong; about {_percent(limit.accepted / promised.rows)} of "
        "questions get one)"
    )
    if answer.score >= limit.score:
        return "answer", basis(
            "confident-enough", f"The {given} reaches {limit.confidence:.4g}, from which on {promise}."
        )
    if level_of(answer.score) == limit.confidence:
        return "defer", basis(
            "not-confident-enough",
            f"A person should answer: the {given} is on the border, where {_percent(limit.share_at_limit)} of the "
            f"answers are given and this one is not among them, so that {promise}.",
        )
    return "defer", basis(
        "not-confident-enough",
        f"A person should answer: the {given} is below {limit.confidence:.4g}, from which on {promise}.",
    )


def _evidence(guard: Guard, promised: Promised, limit: Limit | None) -> SelectionEvidence:
    checked = guard.artifact
    return SelectionEvidence(
        guard=checked.name,
        unit=checked.unit,
        n=promised.rows,
        accepted=limit.accepted if limit else 0,
        errors=limit.errors if limit else 0,
        error_bound=round(limit.bound, 4) if limit else None,
        expected_coverage=round(limit.accepted / promised.rows, 4) if limit else 0.0,
        share_at_threshold=round(limit.share_at_limit, 4) if limit else None,
        least_risk=round(promised.rule.least_risk, 4),
        dataset=checked.dataset,
        date=checked.created.date().isoformat(),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
