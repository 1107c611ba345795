"""Trials of selection on a run's predictions: deferral at accepted risks, option sets at wanted coverages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.selection import CheckedAnswer, GuardArtifact, Limit, RiskRule


def checked_answers(rows: Sequence[Prediction], calibrator: CalibratorArtifact | None = None) -> list[CheckedAnswer]:
    """Turn one estimator's predictions into answers that selection can be fitted on or tried with.

    Args:
        rows: The predictions; failures and questions without a known truth are left out.
        calibrator: Corrects the confidences first, or None to leave them as stated. An answer that lacks one of
            its signals has no confidence: it defers.

    Returns:
        The answers, in order.
    """
    fitted, by_group = (None, None) if calibrator is None else (calibrator.calibrator(), calibrator.by_group)

    def confidence(row: Prediction) -> float | None:
        if fitted is None or row.confidence is None:
            return row.confidence
        if any(name not in row.signals for name in fitted.inputs()):
            return None
        corrected = fitted.apply([row.confidence], {name: [value] for name, value in row.signals.items()})
        if by_group is not None:
            corrected = by_group.apply(corrected, [row.groups])
        return round(float(corrected[0]), 4)  # as replies show it

    return [
        CheckedAnswer(
            row.id,
            confidence(row),
            row.correct,
            row.truth or "",
            option_probabilities(row.signals),
            row.groups,
            row.picture,
        )
        for row in rows
        if row.failure is None and row.is_labelled
    ]


@dataclass(frozen=True, slots=True)
class RiskTrial:
    """Deferral at one accepted risk, tried on answers of known truth.

    Attributes:
        max_risk: The accepted risk.
        limit: The threshold, or None where nothing is answered.
        questions: Questions asked.
        answered: Number of those that got an answer.
        wrong: Number of wrong ones among these.
    """

    max_risk: float
    limit: Limit | None
    questions: int
    answered: int
    wrong: int


@dataclass(frozen=True, slots=True)
class CoverageTrial:
    """Option sets at one coverage, tried on answers of known truth.

    Attributes:
        coverage: The coverage asked for.
        questions: Questions with probabilities of their options, by group; "" without groups.
        held: Those whose set holds the right option.
        options: Options in all their sets.
    """

    coverage: float
    questions: Mapping[str, int]
    held: Mapping[str, int]
    options: Mapping[str, int]


def try_risks(
    guard: GuardArtifact, answers: Sequence[CheckedAnswer], risks: Sequence[float], delta: float
) -> list[RiskTrial]:
    """Apply thresholds to answers with known truth.

    Args:
        guard: The guard whose thresholds are tried.
        answers: Of the same models, estimator and wording, but other questions than it was fitted on.
        risks: Accepted risks in [0, 1].
        delta: Probability with which each promise may fail, in (0, 1).

    Returns:
        One trial a risk, in order.
    """
    return _trials(guard, guard.risk_rule(delta), answers, risks)


def _trials(
    guard: GuardArtifact, rule: RiskRule | None, answers: Sequence[CheckedAnswer], risks: Sequence[float]
) -> list[RiskTrial]:
    scores = np.array(
        [-1.0 if answer.confidence is None else guard.score(answer.confidence, [answer.id]) for answer in answers]
    )
    wrong = np.array([not answer.correct for answer in answers], dtype=np.bool_)
    found = []
    for risk in risks:
        limit = None if rule is None else rule.at(risk)
        given = scores >= limit.score if limit else np.zeros(len(answers), dtype=np.bool_)
        found.append(RiskTrial(risk, limit, len(answers), int(given.sum()), int((given & wrong).sum())))
    return found


def try_group_risks(
    guard: GuardArtifact, answers: Sequence[CheckedAnswer], risks: Sequence[float], delta: float
) -> dict[str, list[RiskTrial]]:
    """Apply the thresholds of every group to its answers with known truth.

    Args:
        guard: The guard whose thresholds are tried.
        answers: As `try_risks` takes them; those of no known group are in no trial, as they are always deferred.
        risks: Accepted risks in [0, 1].
        delta: Probability with which the promise may fail in any group, in (0, 1).

    Returns:
        Group in words -> one trial a risk, in order; empty where the guard does not promise by group. A group with too
        few rows answers nothing.
    """
    rules = guard.group_rules(delta)
    if rules is None:
        return {}
    members: dict[str, list[CheckedAnswer]] = {group.line: [] for group in rules.groups}
    for answer in answers:
        if (group := rules.of(answer.groups)) is not None:
            members[group.line].append(answer)
    return {group.line: _trials(guard, group.rule, members[group.line], risks) for group in rules.groups}


def try_coverages(
    guard: GuardArtifact, answers: Sequence[CheckedAnswer], coverages: Sequence[float]
) -> list[CoverageTrial]:
    """Make option sets for answers with known truth.

    Args:
        guard: The guard whose option sets are tried.
        answers: Of the same models, estimator and wording, but other questions than it was fitted on.
        coverages: Each above 0 and below 1.

    Returns:
        One trial a coverage, in order; empty where the guard has no option sets or no answer has probabilities.
    """
    sets, evidence = guard.option_sets(), guard.options
    usable = [answer for answer in answers if answer.options]
    if sets is None or evidence is None or not usable:
        return []
    found = []
    for coverage in coverages:
        questions: Counter[str] = Counter()
        held: Counter[str] = Counter()
        options: Counter[str] = Counter()
        for answer in usable:
            group = answer.groups.get(evidence.group) if evidence.group else None
            chosen = sets.choose(answer.options, coverage, group=group, place=guard.place([answer.id])).letters
            key = group or ""
            questions[key] += 1
            held[key] += answer.truth in chosen
            options[key] += len(chosen)
        found.append(CoverageTrial(coverage, questions, held, options))
    return found
