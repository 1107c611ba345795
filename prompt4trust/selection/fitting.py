"""Fitting of a guard, the evidence for selection, on checked answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact, hash_rows
from prompt4trust.group_names import check_strata, group_key, spellings, value_in
from prompt4trust.selection.artifact import (
    NEWEST_FORMAT,
    CalibratorReference,
    GroupedRisk,
    GroupRisk,
    GuardArtifact,
    OptionEvidence,
    RiskEvidence,
    Ties,
    Unit,
)
from prompt4trust.selection.by_group import LEAST_ROWS, MOST_COMBINATIONS
from prompt4trust.selection.option_sets import nonconformity
from prompt4trust.selection.pictures import draw_apart, most_about_one
from prompt4trust.selection.ranking import selection_score, tie_of
from prompt4trust.selection.starts import place_start, set_aside, start_counts, start_counts_apart

MIN_ROWS = 100
"""Fewer checked answers than this can promise next to nothing."""
DELTA = 0.05
"""Probability with which a promise may fail, where nobody says otherwise."""
_MIN_GROUP = 50


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An answer to a question whose truth is known.

    Attributes:
        id: The question's id.
        confidence: In [0, 1], of the scale that thresholds are for; None where the reply holds no verdict.
        correct: Whether the answer is right.
        truth: The right option's letter; "" for an open question.
        options: Letter -> probability, or share of samples; empty where the estimator offers none.
        groups: The question's strata.
        picture: What questions about one picture share; None where it is not known: then it is one of its own.
    """

    id: str
    confidence: float | None
    correct: bool
    truth: str
    options: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    picture: str | None = None


def fit_guard(
    answers: Sequence[CheckedAnswer],
    *,
    name: str,
    key: CalibrationKey,
    dataset: str,
    clock: Callable[[], datetime],
    calibrator: CalibratorArtifact | None = None,
    ties: Ties = "split",
    unit: Unit = "picture",
    group: str | None = None,
    strata: Sequence[str] = (),
    delta: float = DELTA,
    seed: int = 0,
    data_hash: str | None = None,
) -> GuardArtifact:
    """Make a guard from checked answers.

    Where several answers are about one picture, thresholds are tested on one of each picture at most, drawn by the
    names alone, so that the promise holds over newly drawn pictures (see `prompt4trust.selection.pictures`); option
    sets rest on all answers.

    Args:
        answers: One a question, their pictures drawn as those to come are; at least 100.
        name: The artifact's name.
        key: The combination that the answers came from.
        dataset: Name of the data.
        clock: Gives the present time, with its zone.
        calibrator: Corrected the confidences, and was fitted on other rows; None for stated confidences.
        ties: Treatment of equally confident answers. Where they are kept together, a tenth of the rows only places the
            start of testing.
        unit: What the tested questions are drawn by, where several are about one picture: of each picture one at most,
            or all of them, as if drawn one by one; such promises fail more often than they say, and the file warns.
        group: Stratum within whose values option sets are to cover, or None.
        strata: Those in every group of which the accepted risk is to hold, such as modality and sex; none where it is
            to hold over all questions. Needs ties to be split.
        delta: Level at which testing is expected; it only helps to place the start, and any may be asked for later.
        seed: Seed of the division of the rows.
        data_hash: Hash of the rows as stated, where the confidences were corrected; None to take it from `answers`.

    Returns:
        The artifact, not yet saved.

    Raises:
        ValueError: If there are too few answers or verdicts, ids are not unique, a row lacks the stratum, or strata
            are named by no answer, combine to more than 256 groups, or are to go with ties that are kept together.

    Example:
        >>> from datetime import UTC
        >>> answers = [  # those stated at 0.6 are wrong each third time
        ...     CheckedAnswer(f"q{n:03}", (0.9, 0.6)[n % 2], n % 200 != 0 and n % 6 != 1, "A") for n in range(400)
        ... ]
        >>> guard = fit_guard(
        ...     answers,
        ...     name="guard-llava",
        ...     key=CalibrationKey(downstream="llava", policy=None, estimator="verbalized", answer_template="answer@1"),
        ...     dataset="held-out",
        ...     clock=lambda: datetime.now(UTC),
        ... )
        >>> guard.rows, guard.set_aside, guard.risk_rule(delta=0.05).at(max_risk=0.1).confidence
        (400, 0, 0.6)
    """
    if len(answers) < MIN_ROWS:
        raise ValueError(f"a guarantee rests on at least {MIN_ROWS} checked answers, not {len(answers)}")
    ordered = sorted(answers, key=lambda answer: answer.id)
    if len({answer.id for answer in ordered}) < len(ordered):
        raise ValueError("every question's id must be unique")
    if most_about_one([answer.picture for answer in ordered]) <= 1:
        unit = "question"
    apart = _apart(ordered, unit)
    evidence, tested = _risk_evidence(apart, ties, delta, seed, unit)
    valid = [answer for answer in ordered if answer.confidence is not None]
    options = _option_evidence(ordered, group)
    named = check_strata(strata) if strata else ()
    members = _members(ordered, named, ties) if named else {}
    by_group = _risk_by_group(members, named, unit) if named else None
    return GuardArtifact(
        format=NEWEST_FORMAT,
        name=name,
        key=key,
        scale="calibrated" if calibrator else "stated",
        calibrator=CalibratorReference.of(calibrator) if calibrator else None,
        ties=ties,
        rows=tested,
        set_aside=len(apart) - tested,
        unit=unit,
        left_out=len(ordered) - len(apart),
        dataset=dataset,
        data_hash=data_hash
        or hash_rows(
            [answer.confidence or 0.0 for answer in valid],
            [answer.correct for answer in valid],
            [answer.id for answer in valid],
        ),
        created=clock(),
        seed=seed,
        risk=evidence,
        options=options,
        warnings=[
            *_picture_warnings(apart),
            *_warnings(options),
            *_group_warnings(by_group, len(ordered) - sum(map(len, members.values()))),
        ],
        by_group=by_group,
    )


def _apart(answers: Sequence[CheckedAnswer], unit: Unit) -> Sequence[CheckedAnswer]:
    """Draw those that are tested: all of them where no picture repeats, or the unit is the question."""
    if unit == "question":
        return answers
    drawn = draw_apart([answer.id for answer in answers], [answer.picture for answer in answers])
    return [answers[place] for place in drawn]


def _starts(tested: int, unit: Unit) -> list[int]:
    return start_counts(tested) if unit == "question" else start_counts_apart(tested)


def _risk_evidence(
    answers: Sequence[CheckedAnswer], ties: Ties, delta: float, seed: int, unit: Unit
) -> tuple[RiskEvidence, int]:
    """Settle where testing begins, and count the questions that are left to test."""
    placing: Sequence[int] = []
    testing: Sequence[int] = range(len(answers))
    if ties == "together":
        placing, testing = set_aside(len(answers), seed)
    aside = _outcomes((answers[place] for place in placing), ties)
    tested = _outcomes((answers[place] for place in testing), ties)
    if not tested or (ties == "together" and not aside):
        raise ValueError("too few replies hold a verdict")
    scores, wrong = [score for score, _ in tested], [bad for _, bad in tested]
    if ties == "together":
        start = place_start([score for score, _ in aside], [bad for _, bad in aside], len(tested), delta)
        return RiskEvidence(start=start, scores=scores, wrong=wrong), len(testing)
    return RiskEvidence(start=_starts(len(tested), unit), scores=scores, wrong=wrong), len(testing)


def _members(
    answers: Sequence[CheckedAnswer], strata: Sequence[str], ties: Ties
) -> dict[tuple[str, ...], list[CheckedAnswer]]:
    """Divide the answers by their values of the strata; those that do not name all are in no group."""
    if ties == "together":
        raise ValueError("promises by group need equally confident answers to be told apart")
    spelt = [
        spellings(
            value
            for answer in answers
            for name, value in answer.groups.items()
            if group_key(name) == group_key(stratum) and group_key(value)
        )
        for stratum in strata
    ]
    members: dict[tuple[str, ...], list[CheckedAnswer]] = {}
    for answer in answers:
        found = [value_in(answer.groups, stratum) for stratum in strata]
        values = tuple(own[value] for own, value in zip(spelt, found, strict=True) if value is not None)
        if len(values) == len(strata):
            members.setdefault(values, []).append(answer)
    if not members:
        raise ValueError(f"no answer names its {' and '.join(strata)}")
    if len(members) > MOST_COMBINATIONS:
        raise ValueError(f"{len(members)} groups are too many; at most {MOST_COMBINATIONS} can be told apart")
    return members


def _risk_by_group(
    members: Mapping[tuple[str, ...], Sequence[CheckedAnswer]], strata: Sequence[str], unit: Unit
) -> GroupedRisk:
    groups = tuple(_group_risk(each, _apart(members[each], unit), unit) for each in sorted(members))
    return GroupedRisk(strata=tuple(strata), groups=groups)


def _group_risk(values: tuple[str, ...], answers: Sequence[CheckedAnswer], unit: Unit) -> GroupRisk:
    tested = _outcomes(answers, "split")
    if len(answers) < LEAST_ROWS or not tested:
        return GroupRisk(values=values, rows=len(answers), risk=None)
    scores, wrong = [score for score, _ in tested], [bad for _, bad in tested]
    evidence = RiskEvidence(start=_starts(len(tested), unit), scores=scores, wrong=wrong)
    return GroupRisk(values=values, rows=len(answers), risk=evidence)


def _outcomes(answers: Iterable[CheckedAnswer], ties: Ties) -> list[tuple[float, int]]:
    """List selection score and 1 for wrong, 0 for right, from the highest score down, of replies with a verdict."""
    found = [
        (selection_score(answer.confidence, tie_of([answer.id]) if ties == "split" else 0.0), int(not answer.correct))
        for answer in answers
        if answer.confidence is not None
    ]
    return sorted(found, reverse=True)


def _option_evidence(answers: Sequence[CheckedAnswer], group: str | None) -> OptionEvidence | None:
    usable = [answer for answer in answers if answer.truth in answer.options]
    if not usable:
        return None
    scores: dict[str, list[float]] = {}
    for answer in usable:
        value = "" if group is None else answer.groups.get(group)
        if value is None:
            raise ValueError(f"question {answer.id} has no {group!r}; the questions have {', '.join(answer.groups)}")
        scores.setdefault(value, []).append(nonconformity(answer.options[answer.truth]))
    return OptionEvidence(group=group, scores={value: sorted(scores[value]) for value in sorted(scores)})


def _picture_warnings(answers: Sequence[CheckedAnswer]) -> list[str]:
    pictures = [answer.picture for answer in answers if answer.picture is not None]
    if len(set(pictures)) == len(pictures):
        return []
    return [
        f"{len(pictures)} questions are about {len(set(pictures))} pictures: promises take them as drawn one by one, "
        "and fail more often than they say where answers about one picture are alike"
    ]


def _warnings(options: OptionEvidence | None) -> list[str]:
    if options is None or options.group is None:
        return []
    return [
        f"{options.group} {value!r} has {len(found)} rows only: its option sets are large"
        for value, found in options.scores.items()
        if len(found) < _MIN_GROUP
    ]


def _group_warnings(by_group: GroupedRisk | None, nowhere: int) -> list[str]:
    if by_group is None:
        return []
    few = [
        f"{', '.join(f'{name} {value}' for name, value in zip(by_group.strata, group.values, strict=True))} has "
        f"{group.rows} of the {LEAST_ROWS} rows that a promise takes: all of its answers are left to a person"
        for group in by_group.groups
        if group.risk is None
    ]
    unnamed = f"{nowhere} answers do not name their {' and '.join(by_group.strata)}, and are in no group"
    return [*few, unnamed] if nowhere else few
