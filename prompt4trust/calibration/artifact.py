"""A fitted calibrator as a file that a person can read: its parameters, its calibration key and its provenance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal, Self

import numpy.typing as npt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from prompt4trust.artifact import JsonArtifact
from prompt4trust.calibration.base import Calibrator, Signals, Value
from prompt4trust.calibration.by_group import GroupOffsets, Groups
from prompt4trust.calibration.families import get_family
from prompt4trust.calibration.reliability import Bin
from prompt4trust.metrics.tally import FloatArray
from prompt4trust.models import Decoding
from prompt4trust.pictures import PicturePreparation

MetricValues = dict[str, dict[str, float | None]]
"""Metric -> value, low and high of its interval; null where undefined."""

NEWEST_FORMAT = 4
"""Format 1 held one-signal parameters and no record of a choice, format 2 neither decoding nor preparation of pictures,
format 3 no corrections by group. Files of all are still read; what does not record these two fits no answer (see
`CalibrationKey.fits`)."""
UNRECORDED = (
    "does not record the decoding and the preparation of pictures that its answers came from, so that it fits no "
    "answer: make it again"
)
"""Said of evidence from before these were recorded, with its name ahead."""


class CalibrationKey(BaseModel):
    """The combination that a calibrator belongs to: the confidences of any other mean something else.

    Attributes:
        downstream: The multimodal model's name.
        policy: The policy version that wrote the guidance, or None where the estimator uses none.
        estimator: The estimator that gave the confidence.
        answer_template: Name and version of the wording that asked for it.
        decoding: The decoding that the estimator used; None where that was not recorded.
        picture_preparation: What pictures went through; None where that was not recorded.

    Example:
        >>> from prompt4trust import Decoding, PictureLimits, PicturePreparation, Sampling
        >>> key = CalibrationKey(
        ...     downstream="llava",
        ...     policy=None,
        ...     estimator="verbalized",
        ...     answer_template="answer@1",
        ...     decoding=Decoding.of(Sampling(temperature=0)),
        ...     picture_preparation=PicturePreparation.of(PictureLimits()),
        ... )
        >>> warmer = key.model_copy(update={"decoding": Decoding.of(Sampling(temperature=1.5))})
        >>> key.fits(key), key.fits(warmer), key.differences(warmer)
        (True, False, ['temperature 0 there, 1.5 here'])
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    downstream: str = Field(min_length=1)
    policy: str | None
    estimator: str = Field(min_length=1)
    answer_template: str = Field(min_length=1)
    decoding: Decoding | None = None
    picture_preparation: PicturePreparation | None = None

    @property
    def line(self) -> str:
        """The key in one line, as a registry's index names it; what was not recorded is left out.

        Example:
            >>> CalibrationKey(downstream="llava", policy=None, estimator="verbalized", answer_template="answer@1").line
            'verbalized | llava | no policy | answer@1'
        """
        recorded = (part.line for part in (self.decoding, self.picture_preparation) if part is not None)
        named = (self.estimator, self.downstream, self.policy or "no policy", self.answer_template)
        return " | ".join((*named, *recorded))

    @property
    def is_whole(self) -> bool:
        """Whether all of it was recorded."""
        return self.decoding is not None and self.picture_preparation is not None

    def fits(self, other: CalibrationKey) -> bool:
        """Whether evidence of this key holds for answers of another: of the very same one, all of it recorded."""
        return self.is_whole and self == other

    def differences(self, other: CalibrationKey) -> list[str]:
        """List the differences of another key's decoding and preparation of pictures from this one's.

        Returns:
            For each part that differs "temperature 0 there, 1.5 here", this key being there; empty where none does, or
            where one of the two keys does not record it.
        """
        mine, theirs = self._conditions(), other._conditions()
        if not self.is_whole or not other.is_whole:
            return []
        return [
            f"{name} {_value(mine[name])} there, {_value(theirs[name])} here"
            for name in mine
            if mine[name] != theirs[name]
        ]

    def nearest_misfit(self, evidence: Iterable[tuple[str, CalibrationKey]]) -> str | None:
        """Explain why none of some evidence fits this key though it is of the same models, estimator and wording.

        Args:
            evidence: Names and keys, none of which fits.

        Returns:
            The end of a sentence about the one with the fewest differences, or None where there is none of the same
            models, estimator and wording.
        """
        named = {"downstream", "policy", "estimator", "answer_template"}
        mine = self.model_dump(include=named)
        near = [(name, key) for name, key in evidence if key.model_dump(include=named) == mine]
        if not near:
            return None
        found = [(key.differences(self), name) for name, key in near]
        differing = [each for each in found if each[0]]
        if not differing:
            return f"{min(name for _, name in found)} {UNRECORDED}"
        parts, name = min(differing, key=lambda each: (len(each[0]), each[1]))
        return f"{name} was made from answers that came about otherwise ({', '.join(parts)})"

    def _conditions(self) -> dict[str, float | str | None]:
        decoding, pictures = self.decoding, self.picture_preparation
        return {
            **({} if decoding is None else dict(decoding)),
            **({} if pictures is None else {f"picture_{name}": value for name, value in pictures.model_dump().items()}),
        }


def _value(value: float | str | None) -> str:
    return "none" if value is None else value if isinstance(value, str) else f"{value:g}"


class Candidate(BaseModel):
    """A family and its figures on answers that it was not fitted on.

    Attributes:
        family: Its name.
        refused: Why it could not be fitted, or may not be taken; or None.
        metrics: Its figures there; empty where it could not be fitted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    family: str
    refused: str | None = None
    metrics: MetricValues = {}


class FamilyChoice(BaseModel):
    """The choice of a family among others.

    Attributes:
        chosen: The family.
        score: The proper score that is compared, lower being better.
        judged_on: validation: answers of another data set; folds: each answer by calibrators that were fitted without
            its fold.
        dataset: Name of the data judged on.
        data_hash: SHA-256 of the rows judged on, those whose right option was replaced among them.
        n: Their number.
        candidates: All families, from the simplest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chosen: str
    score: Literal["nll", "brier"]
    judged_on: Literal["validation", "folds"]
    dataset: str
    data_hash: str
    n: int = Field(ge=1)
    candidates: tuple[Candidate, ...]


class ReplacedRows(BaseModel):
    """Answers that were fitted on as well: to questions whose right option was replaced by "None of the above".

    Attributes:
        n: Their number.
        data_hash: SHA-256 of their rows.
        drawn_from: SHA-256 of all usable rows of the run that they were drawn from, which is that of these alone where
            all were taken: by it such a run's figures are known to be in-sample.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int = Field(ge=1)
    data_hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    drawn_from: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")


class GroupErrors(BaseModel):
    """A group's calibration errors on the answers that were fitted on.

    Attributes:
        n: Answers of the group.
        before: ECE of the confidences as stated, with its interval.
        after: ECE of the corrected ones, cross-fitted where the artifact's `metrics_after` is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n: int = Field(ge=1)
    before: dict[str, float | None]
    after: dict[str, float | None]


class CalibratorArtifact(JsonArtifact):
    """A calibrator, its provenance and its effect.

    Attributes:
        name: Unique in a registry; also the file's name.
        family: The calibrator family.
        parameters: The fitted numbers, by name.
        key: The combination that it may be applied to.
        n: Held-out answers that it was fitted on, those of `replaced` among them.
        dataset: Name of the held-out data.
        data_hash: SHA-256 of the rows fitted on, as "sha256:...": of the questions as they are asked, without those of
            `replaced`.
        created: When it was fitted.
        seed: Seed of the bootstrap intervals below.
        metrics_before: Metrics of the stated confidences on the data fitted on.
        metrics_after: The same of the corrected ones. In-sample figures are better than those on new data.
        folds: In how many parts `metrics_after` was cross-fitted, each answer corrected by a calibrator that was fitted
            without it; 0 where it is in-sample.
        warnings: Remarks that a person should read before trusting it.
        format: Version of the file's format.
        choice: The choice of the family, or None where only one was looked at.
        metrics_ideal: Calibration errors that a perfectly calibrated model would show, by chance alone, with as many
            answers of the corrected confidences: the mean over draws, and the values between which 95 % of them lie.
        reliability_before: Reliability diagram of the stated confidences on the data fitted on.
        reliability_after: The same of the corrected ones, cross-fitted where `metrics_after` is.
        questions: Fingerprint of what was asked, as runs have it: by it the reference inputs are found that belong to
            these questions. None in older files, and where the answers are not those of a data set.
        by_group: Corrections by group behind the family's, or None where all groups are corrected alike.
        groups: Stratum -> value -> calibration errors there; empty where no strata were asked for.
        replaced: Answers to questions whose right option was replaced, which were fitted on and are in no figure but
            those of `choice`; None where there were none.
    """

    newest_format: ClassVar[int] = NEWEST_FORMAT

    format: int = 1
    name: str = Field(pattern=r"^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$", max_length=200)
    family: str = Field(validation_alias="method", serialization_alias="method")
    parameters: dict[str, Value]
    key: CalibrationKey = Field(validation_alias="pair", serialization_alias="pair")
    n: int = Field(ge=1)
    dataset: str
    data_hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    created: AwareDatetime
    seed: int
    metrics_before: MetricValues
    metrics_after: MetricValues
    folds: int = Field(default=0, ge=0)
    warnings: list[str] = Field(default_factory=list)
    choice: FamilyChoice | None = None
    metrics_ideal: MetricValues = Field(default_factory=dict)
    reliability_before: tuple[Bin, ...] = ()
    reliability_after: tuple[Bin, ...] = ()
    questions: str | None = None
    by_group: GroupOffsets | None = None
    groups: dict[str, dict[str, GroupErrors]] = Field(default_factory=dict)
    replaced: ReplacedRows | None = None

    @model_validator(mode="after")
    def _can_be_applied(self) -> Self:
        self.calibrator()
        return self

    def calibrator(self) -> Calibrator:
        """Rebuild the calibrator.

        Raises:
            ValueError: If the family is unknown or the parameters are not its own (a loaded artifact never does).
        """
        return get_family(self.family).from_parameters(self.parameters)

    def was_fitted_on(self, data_hash: str) -> bool:
        """Whether it was fitted on rows of this hash, as they were asked, or on some of a run with replaced options."""
        return data_hash in (self.data_hash, self.replaced and self.replaced.drawn_from)

    def applies_to(self, key: CalibrationKey) -> bool:
        """Whether confidences of this combination may be corrected by it: only of the very same one."""
        return self.key.fits(key)

    def correct(self, confidence: npt.ArrayLike, signals: Signals | None = None, groups: Groups = ()) -> FloatArray:
        """Correct confidences: by the family, and where the artifact has corrections by group by these.

        Args:
            confidence: Stated confidences in [0, 1]; shape [n].
            signals: Values for the family's `inputs()`; shape [n] each.
            groups: What is known of each question, n of them; not looked at without corrections by group, and empty
                where nothing is known of any.

        Returns:
            Corrected confidences in [0, 1]; shape [n].

        Raises:
            MissingSignalError: If a signal is not there.
            ValueError: If a confidence is out of range, or there are not as many groups.
        """
        corrected = self.calibrator().apply(confidence, signals)
        if self.by_group is None or not groups:
            return corrected
        return self.by_group.apply(corrected, groups)
