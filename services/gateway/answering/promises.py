"""The one place where promises are withheld: that a confidence is calibrated, and that an answer may be given.

A further reason to withhold a promise belongs here. Those of `withheld_promise` take both back, since both rest on the
same evidence. `promise_for` finds the guarantee that reaches a question: that of its own group where the guard promises
by group, else that of all; where there is none, the confidence may still be calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prompt4trust.group_names import value_in
from prompt4trust.selection import RiskRule
from prompt4trust.selection.by_group import LEAST_ROWS
from services.gateway.answering.familiarity import Familiarity
from services.gateway.shelves.calibrators import FittedCalibrator
from services.gateway.shelves.evidence import Evidence
from services.gateway.shelves.guards import Guard


@dataclass(frozen=True, slots=True)
class Withheld:
    """A reason to promise nothing of an answer, though there is evidence for its models, method and wording.

    Attributes:
        code: The reason as a stable word.
        reason: The same for a person: the end of a sentence.
    """

    code: Literal["atypical-input", "atypicality-unknown", "answer-contradicted", "calibration-alarm"]
    reason: str


def withheld_promise(evidence: Evidence, familiarity: Familiarity, *, alarm_withholds: bool) -> Withheld | None:
    """Find what stands in the way of promising anything about an answer, if anything does.

    Args:
        evidence: What promises about it rest on.
        familiarity: How unlike the questions behind that evidence its question is.
        alarm_withholds: Whether a standing alarm does.
    """
    atypicality = familiarity.atypicality
    if atypicality is not None and atypicality.beyond:
        return Withheld("atypical-input", atypicality.reason)
    if familiarity.is_lost:
        # The question may be one that the reference would have told from all others.
        return Withheld("atypicality-unknown", familiarity.unknown or "")
    if familiarity.against is not None:
        return Withheld("answer-contradicted", familiarity.against)
    if alarm_withholds and evidence.alarm is not None:
        return Withheld("calibration-alarm", evidence.alarm)
    return None


@dataclass(frozen=True, slots=True)
class Promised:
    """Thresholds that were checked on questions like this one.

    Attributes:
        rule: The thresholds.
        rows: Questions that they were checked on.
        delta: Probability with which the promise may fail: where it is by group, in any of them.
        groups: The group that it holds in: stratum -> value; empty where it holds over all questions.
    """

    rule: RiskRule
    rows: int
    delta: float
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def among(self) -> str:
        """The group in words: " in its group", not which, as an object may have stated it; "" for all questions."""
        return " in its group" if self.groups else ""


@dataclass(frozen=True, slots=True)
class Unproved:
    """Why nothing was proved for questions like this one, as the end of a sentence."""

    reason: str


def promise_for(guard: Guard, calibrator: FittedCalibrator | None, groups: Mapping[str, str]) -> Promised | Unproved:
    """Find the thresholds that hold for a question.

    Args:
        guard: The evidence for these models, this method and this wording.
        calibrator: The live calibrator, which corrected the confidences that the guard was checked on where its scale
            says so.
        groups: What is known of the question.

    Returns:
        The thresholds, or why there are none: the question names no group that was checked, its group has too few
        checked questions, or its confidence lacks a correction that all checked ones may have had.
    """
    own = calibrator.artifact.by_group if calibrator is not None and guard.artifact.scale == "calibrated" else None
    if own is not None:
        known = own.known(groups)
        if missing := [each.name for each in own.strata if each.changes and each.name not in known]:
            return Unproved(
                f"what is guaranteed was checked on confidences that were corrected by {' and '.join(missing)}, and "
                f"{_unnamed(missing, groups)}"
            )
    rules = guard.groups
    if rules is None:
        return Promised(guard.rule, guard.artifact.rows, guard.rule.delta)
    found = rules.of(groups)
    if found is None:
        return Unproved(f"the guarantee is by {' and '.join(rules.strata)}, and {_unnamed(rules.strata, groups)}")
    if found.rule is None:
        apart = " about different pictures" if guard.artifact.unit == "picture" else ""
        return Unproved(
            f"of questions in its group only {found.rows}{apart} were checked; a guarantee takes {LEAST_ROWS} of them"
        )
    return Promised(found.rule, found.rows, rules.delta, found.groups)


def _unnamed(strata: Sequence[str], groups: Mapping[str, str]) -> str:
    if missing := [name for name in strata if value_in(groups, name) is None]:
        return f"the question does not name its {' and '.join(missing)} in `groups`"
    return f"no question of its {' and '.join(strata)} was checked"
