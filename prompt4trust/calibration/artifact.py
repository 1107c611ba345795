"""A fitted calibrator as a file that a person can read: what it does, what it belongs to and what it was fitted on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from prompt4trust.artifact import JsonArtifact
from prompt4trust.calibration.base import Calibrator, Signals, Value
from prompt4trust.calibration.families import get_family
from prompt4trust.calibration.reliability import Bin, reliability
from prompt4trust.metrics import summarize
from prompt4trust.metrics.tally import check_flags

MetricValues = dict[str, dict[str, float | None]]
"""Metric -> value, low and high of its interval; null where undefined."""

NEWEST_FORMAT = 2
"""Format 1 held one-signal parameters and no record of a choice; its files are still read."""


class CalibrationKey(BaseModel):
    """What a calibrator belongs to: the confidences of any other combination mean something else.

    Attributes:
        downstream: The multimodal model's name.
        policy: The policy version that wrote the guidance, or None where the estimator uses none.
        estimator: How the confidence was obtained.
        answer_template: Name and version of the wording that asked for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    downstream: str = Field(min_length=1)
    policy: str | None
    estimator: str = Field(min_length=1)
    answer_template: str = Field(min_length=1)

    @property
    def line(self) -> str:
        """The key in one line, as a registry's index names it."""
        return " | ".join((self.estimator, self.downstream, self.policy or "no policy", self.answer_template))


class Candidate(BaseModel):
    """A family as it did on answers that it was not fitted on.

    Attributes:
        family: Its name.
        refused: Why it could not be fitted, or None.
        metrics: Its figures there; empty where it could not be fitted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    family: str
    refused: str | None = None
    metrics: MetricValues = {}


class FamilyChoice(BaseModel):
    """How a family was chosen among others.

    Attributes:
        chosen: The family.
        score: The proper score that is compared, lower being better.
        judged_on: validation: answers of another data set; folds: each answer by calibrators that were fitted without
            its fold.
        dataset: Name of the data judged on.
        data_hash: SHA-256 of the rows judged on.
        n: How many.
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


class CalibratorArtifact(JsonArtifact):
    """A calibrator, its provenance and its effect.

    Attributes:
        name: Unique in a registry; also the file's name.
        family: The calibrator family.
        parameters: The fitted numbers, by name.
        key: The combination that it may be applied to.
        n: Held-out answers that it was fitted on.
        dataset: Name of the held-out data.
        data_hash: SHA-256 of the rows fitted on, as "sha256:...".
        created: When it was fitted.
        seed: Seed of the bootstrap intervals below.
        metrics_before: Metrics of the stated confidences on the data fitted on.
        metrics_after: The same of the corrected ones. In-sample figures are better than those on new data.
        folds: In how many parts `metrics_after` was cross-fitted, each answer corrected by a calibrator that was fitted
            without it; 0 where it is in-sample.
        warnings: What a person should know before trusting it.
        format: Version of the file's format.
        choice: How the family was chosen, or None where only one was looked at.
        metrics_ideal: What calibration errors a perfectly calibrated model would show, by chance alone, with as many
            answers of the corrected confidences: the mean over draws, and between which values 95 % of them lie.
        reliability_before: Reliability diagram of the stated confidences on the data fitted on.
        reliability_after: The same of the corrected ones, cross-fitted where `metrics_after` is.
        questions: Fingerprint of what was asked, as runs have it: by it the reference inputs are found that belong to
            these questions. None in older files, and where the answers are not those of a data set.
    """

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

    @field_validator("format")
    @classmethod
    def _known_format(cls, version: int) -> int:
        if not 1 <= version <= NEWEST_FORMAT:
            raise ValueError(f"format {version} is not known; this version of the software reads 1 to {NEWEST_FORMAT}")
        return version

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

    def applies_to(self, key: CalibrationKey) -> bool:
        """Say whether confidences of this combination may be corrected by it: only of the very same one."""
        return self.key == key


def fit_artifact(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    *,
    name: str,
    family: str,
    key: CalibrationKey,
    dataset: str,
    clock: Callable[[], datetime],
    ids: list[str] | None = None,
    signals: Signals | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> CalibratorArtifact:
    """Fit a calibrator and record what it was fitted on and what it changes.

    Args:
        confidence: Stated confidences in [0, 1]; shape [n].
        correct: Whether each answer is right; shape [n].
        valid: Whether each row holds a verdict; shape [n]; the others are left out. None where all do.
        name: The artifact's name.
        family: The calibrator family.
        key: The combination that the answers came from.
        dataset: Name of the held-out data.
        clock: Gives the present time, with its zone.
        ids: The rows' question ids, which then enter the data hash; n of them.
        signals: Further numbers of the answers, by name; shape [n] each.
        resamples: Bootstrap resamples for the metrics' intervals.
        seed: Seed of the bootstrap.

    Returns:
        The artifact, not yet saved.

    Raises:
        ValueError: If the family is unknown or there are too few valid rows, or only right or only wrong ones.
    """
    stated, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct)
    if valid is not None:
        usable = check_flags(valid, "valid", len(stated))
        if ids is not None:
            ids = [row for row, kept in zip(ids, usable, strict=True) if kept]
        stated, right = stated[usable], check_flags(right, "correct", len(usable))[usable]
        signals = {signal: np.asarray(values)[usable] for signal, values in (signals or {}).items()}
    calibrator = get_family(family).fit(stated, right, signals)
    corrected = calibrator.apply(stated, signals)
    return CalibratorArtifact(
        format=NEWEST_FORMAT,
        name=name,
        family=family,
        parameters=calibrator.parameters(),
        key=key,
        n=len(stated),
        dataset=dataset,
        data_hash=hash_rows(stated, right, ids),
        created=clock(),
        seed=seed,
        metrics_before=_metrics(stated, right, resamples, seed),
        metrics_after=_metrics(corrected, right, resamples, seed),
        warnings=calibrator.warnings(),
        reliability_before=reliability(stated, right),
        reliability_after=reliability(corrected, right),
    )


def hash_rows(confidence: npt.ArrayLike, correct: npt.ArrayLike, ids: list[str] | None = None) -> str:
    """Hash rows, whatever order they come in where they have ids.

    Args:
        confidence: Stated confidences; shape [n].
        correct: Whether each answer is right; shape [n].
        ids: The rows' question ids, n of them, or None.

    Returns:
        "sha256:" and 64 hexadecimal digits, over one line of id, confidence and outcome a row.
    """
    stated = np.asarray(confidence, dtype=np.float64).tolist()
    right = np.asarray(correct).astype(np.bool_).tolist()
    names = ids if ids is not None else [str(row) for row in range(len(stated))]
    lines = [f"{row!r}\t{value!r}\t{int(outcome)}\n" for row, value, outcome in zip(names, stated, right, strict=True)]
    if ids is not None:
        lines.sort()
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def _metrics(confidence: npt.ArrayLike, correct: npt.ArrayLike, resamples: int, seed: int) -> MetricValues:
    summary = summarize(confidence, correct, resamples=resamples, seed=seed)["valid"]
    return {name: interval.as_json() for name, interval in summary.items()}
