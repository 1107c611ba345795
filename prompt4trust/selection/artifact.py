"""Guards: the evidence for selection as a file that a person can read, with the calibration key that it belongs to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from prompt4trust.artifact import JsonArtifact
from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.group_names import MOST_STRATA, check_strata, value_in
from prompt4trust.selection.by_group import MOST_COMBINATIONS, GroupRule, GroupRules
from prompt4trust.selection.option_sets import OptionSets
from prompt4trust.selection.ranking import STEPS, selection_score, tie_of
from prompt4trust.selection.risk import RiskRule

Ties = Literal["split", "together"]
"""Equally confident answers: told apart by a number drawn from the question, or all treated alike."""
Scale = Literal["stated", "calibrated"]
"""Which confidence is compared with thresholds."""

Unit = Literal["question", "picture"]
"""Unit that the tested questions were drawn by: one by one, or of each picture one at most (see
`prompt4trust.selection.pictures`)."""

NEWEST_FORMAT = 5
"""Files of format 1 do not say so, and record neither decoding nor preparation of pictures: they are read, and fit no
answer (see `CalibrationKey.fits`). Format 3 may begin its tests at several numbers of answers; those of format 2 begin
at one threshold, and keep their promises as before. Format 4 may promise in every group. Format 5 says by which unit it
was tested; older ones took all questions as drawn one by one."""

_SETS_SALT = "option set"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CalibratorReference(_Part):
    """A calibrator by name and content, since a refitted one keeps its name."""

    name: str
    fingerprint: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")

    @classmethod
    def of(cls, artifact: CalibratorArtifact) -> Self:
        """Refer to a calibrator."""
        content = artifact.model_dump(mode="json", include={"family", "parameters", "key"})
        if artifact.by_group is not None:  # what has none keeps the fingerprint of before there were any
            content["by_group"] = artifact.by_group.model_dump(mode="json")
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return cls(name=artifact.name, fingerprint=f"sha256:{digest}")


_Threshold = Annotated[float, Field(ge=0, le=STEPS + 1)]
_Counts = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=64)]


class RiskEvidence(_Part):
    """The answers that thresholds are tested on.

    Attributes:
        start: The strictest threshold, as a selection score (see `prompt4trust.selection.ranking`), or the numbers of
            accepted answers at which tests begin.
        scores: Selection scores of the tested answers, descending.
        wrong: Whether each is wrong, 1 or 0.
    """

    start: _Threshold | _Counts
    scores: list[Annotated[float, Field(ge=0, le=STEPS + 1)]]
    wrong: list[Annotated[int, Field(ge=0, le=1)]]

    @model_validator(mode="after")
    def _as_long(self) -> Self:
        if len(self.scores) != len(self.wrong):
            raise ValueError("scores and wrong must have the same length")
        if isinstance(self.start, list) and any(one >= other for one, other in pairwise(self.start)):
            raise ValueError("numbers of answers at which tests begin must ascend")
        return self


class GroupRisk(_Part):
    """The answers of one group that its thresholds are tested on.

    Attributes:
        values: Its value of each stratum, in the strata's order.
        rows: Its questions that were tested, those without a verdict included.
        risk: Evidence for deferral; None where there are too few questions to promise anything.
    """

    values: tuple[Annotated[str, Field(min_length=1)], ...]
    rows: int = Field(ge=1)
    risk: RiskEvidence | None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.risk is not None and len(self.risk.scores) > self.rows:
            raise ValueError("more answers of a group were tested than questions asked")
        return self


class GroupedRisk(_Part):
    """The evidence for deferral that holds in every group at once.

    Attributes:
        strata: Names of the strata whose combined values are the groups.
        groups: The groups.
    """

    strata: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_STRATA)]
    groups: Annotated[tuple[GroupRisk, ...], Field(min_length=1, max_length=MOST_COMBINATIONS)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        check_strata(self.strata)
        if any(len(group.values) != len(self.strata) for group in self.groups):
            raise ValueError("a group has one value of each stratum")
        if len({self._place(group) for group in self.groups}) < len(self.groups):
            raise ValueError("two groups are the same")
        return self

    def rules(self, delta: float) -> GroupRules:
        """Compute the thresholds of every group, each at its share of delta."""
        share = delta / max(sum(group.risk is not None for group in self.groups), 1)
        found = []
        for group in self.groups:
            risk = group.risk
            rule = None if risk is None else RiskRule(risk.scores, risk.wrong, risk.start, share)
            found.append(GroupRule(dict(zip(self.strata, group.values, strict=True)), group.rows, rule))
        return GroupRules(self.strata, found, delta)

    def _place(self, group: GroupRisk) -> tuple[str | None, ...]:
        named = dict(zip(self.strata, group.values, strict=True))
        return tuple(value_in(named, name) for name in self.strata)


class OptionEvidence(_Part):
    """The nonconformity of right options.

    Attributes:
        group: Name of the stratum within whose values coverage holds, or None where it holds over all rows.
        scores: Value of that stratum -> nonconformity of the right option of its rows, ascending; "" without a stratum.
    """

    group: str | None = None
    scores: dict[str, list[Annotated[float, Field(ge=0, le=1)]]]

    @model_validator(mode="after")
    def _has_rows(self) -> Self:
        if not any(self.scores.values()):
            raise ValueError("option sets need at least one row")
        return self


class GuardArtifact(JsonArtifact):
    """The evidence for deferral and for option sets, and its provenance.

    Attributes:
        name: Unique in a registry; also the file's name.
        key: The combination that it may be applied to.
        scale: Whether thresholds are compared with the stated or with the calibrated confidence.
        calibrator: The calibrator that made the latter; None for "stated".
        ties: Treatment of equally confident answers.
        rows: Questions that the thresholds were tested on, those without a verdict included: they always defer.
        set_aside: Further questions, which only placed the start of testing; 0 where tests begin at numbers of answers.
        unit: "picture" where several of the checked questions are about one picture, and of each picture one question
            at most was tested; "question" where none are, and in older files, which tested all of them all the same.
        left_out: Further questions, which were not drawn where the unit is the picture; else 0.
        dataset: Name of the held-out data.
        data_hash: SHA-256 of the rows with a verdict, as calibrators have it.
        created: When it was made.
        seed: Seed of the division of the rows.
        risk: Evidence for deferral.
        options: Evidence for option sets; None where the estimator offers no probabilities of the options.
        warnings: Remarks that a person should read before trusting it.
        questions: Fingerprint of what was asked, as runs have it; None in older files.
        format: Version of the file's format.
        by_group: Evidence for deferral in every group; where there is some, `risk` is for comparison alone and
            gives no answer. None where the promise is over all questions.
    """

    newest_format: ClassVar[int] = NEWEST_FORMAT

    format: int = 1
    name: str = Field(pattern=r"^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$", max_length=200)
    key: CalibrationKey = Field(validation_alias="pair", serialization_alias="pair")
    scale: Scale = "stated"
    calibrator: CalibratorReference | None = None
    ties: Ties = "split"
    rows: int = Field(ge=1)
    set_aside: int = Field(ge=0)
    unit: Unit = "question"
    left_out: int = Field(default=0, ge=0)
    dataset: str
    data_hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    created: AwareDatetime
    seed: int
    risk: RiskEvidence
    options: OptionEvidence | None = None
    warnings: list[str] = Field(default_factory=list)
    questions: str | None = None
    by_group: GroupedRisk | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.scale == "calibrated") != (self.calibrator is not None):
            raise ValueError("a calibrator is named for calibrated confidences, and for those alone")
        if len(self.risk.scores) > self.rows:
            raise ValueError("more answers were tested than questions asked")
        if isinstance(self.risk.start, list) and (self.format < 3 or self.ties == "together"):
            raise ValueError("tests begin at numbers of answers from format 3 on, and where ties are told apart")
        if self.by_group is not None and (self.format < 4 or self.ties == "together"):
            raise ValueError("there are promises by group from format 4 on, and where ties are told apart")
        if self.unit == "picture" and self.format < 5:
            raise ValueError("tests are by picture from format 5 on")
        if self.left_out and self.unit == "question":
            raise ValueError("questions are left out only where tests are by picture")
        return self

    def applies_to(self, key: CalibrationKey) -> bool:
        """Whether answers of this combination may be selected by it: only of the very same one."""
        return self.key.fits(key)

    def risk_rule(self, delta: float) -> RiskRule:
        """Compute the thresholds; takes milliseconds for thousands of rows, so keep the result."""
        return RiskRule(self.risk.scores, self.risk.wrong, self.risk.start, delta)

    def group_rules(self, delta: float) -> GroupRules | None:
        """Compute the thresholds of every group, or None where the promise is over all questions."""
        return None if self.by_group is None else self.by_group.rules(delta)

    def option_sets(self) -> OptionSets | None:
        """Prepare the option sets, or None where there is no evidence for them."""
        return None if self.options is None else OptionSets(self.options.scores)

    def score(self, confidence: float, identity: Sequence[str]) -> float:
        """Compute an answer's selection score.

        Args:
            confidence: Of the artifact's scale, in [0, 1].
            identity: Texts that identify the question among others.
        """
        return selection_score(confidence, tie_of(identity) if self.ties == "split" else 0.0)

    def place(self, identity: Sequence[str]) -> float | None:
        """Compute a question's place among ties of option sets; see `OptionSets.choose`."""
        return tie_of(identity, _SETS_SALT) if self.ties == "split" else None
