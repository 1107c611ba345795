"""Figures of an evaluation, as report.json holds them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from prompt4trust.calibration import Bin
from prompt4trust.evaluation.manifest import RunManifest, TableOrigin


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Model):
    """A metric with its 95 % interval; None where it is undefined (no rows, one class only)."""

    value: float | None
    low: float | None
    high: float | None


class Figures(_Model):
    """The figures of one set of predictions.

    Attributes:
        n: Predictions with a known truth, invalid ones included.
        all: Metric -> estimate over all n rows: an invalid row counts as wrong, with confidence 0.
        valid: Metric -> estimate over the rows that hold a verdict.
        confidence_spread: Standard deviation over the valid rows; near 0 the model states one value whatever it sees.
    """

    n: int
    all: Mapping[str, Estimate]
    valid: Mapping[str, Estimate]
    confidence_spread: float | None


class WorstGroupFigures(_Model):
    """The group of a stratum with the largest ECE over its valid rows.

    Attributes:
        value: The group.
        n: Its valid rows.
        groups: Groups with 20 valid rows and more, which it is the worst of.
        ece: Its ECE, with the interval of the largest ECE of all these groups (see `prompt4trust.metrics.WorstGroup`).
        by_chance: The largest ECE of as many perfectly calibrated groups: the mean over draws, and between which values
            95 % of them lie.
    """

    value: str
    n: int
    groups: int
    ece: Estimate
    by_chance: Estimate


class Outline(_Model):
    """Numbers that a method's diagrams are drawn from.

    Attributes:
        right: Right answers by confidence, over the valid rows: bins of equal width, closed below.
        wrong: Wrong ones likewise.
        risk_coverage: (share answered, share of these that is wrong), over all rows, the surest answers first.
        band: For each bin of the reliability diagram the shares of right answers between which 95 % of a perfectly
            calibrated model's would lie, by chance; None where it is empty.
        ideal: Calibration errors that a perfectly calibrated model would show by chance with as many valid answers of
            the same confidences: the mean over draws, and between which values 95 % of them lie.
    """

    right: tuple[int, ...]
    wrong: tuple[int, ...]
    risk_coverage: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float] | None, ...]
    ideal: Mapping[str, Estimate]


class MethodReport(_Model):
    """One column of the comparison: an estimator, perhaps with a calibrator behind it.

    Attributes:
        name: "cgp", or "cgp + platt"; where several runs are compared, with the run's label.
        estimator: The estimator's name.
        calibrator: The calibrator's name, or None.
        run: Label of the run that it is of, where several are compared.
        in_sample: Whether the calibrator was fitted on these very questions, or on some of this run of a probe: its
            figures then flatter it.
        uncorrected: Valid answers that lack a signal that the calibrator needs: their confidence is as stated.
        failed: Questions without a prediction; in no figure.
        unlabelled: Predictions without a known right option (truth unknown, or an open question); in no figure.
        invalid: Reason for texts without a verdict -> their number.
        policies: Policy versions that wrote guidance.
        figures: Over all predictions.
        groups: Group -> value -> figures.
        worst: Group -> its worst value by ECE, where two values or more have 20 valid rows.
        reliability: The reliability diagram of the valid rows.
        outline: Numbers for further diagrams; None without answers to questions of known truth.
        calls: Mean model calls a prediction.
        tokens: Mean tokens read and written a prediction.
        seconds: Mean seconds of waiting for models a prediction.
    """

    name: str
    estimator: str
    calibrator: str | None
    run: str = ""
    in_sample: bool
    uncorrected: int = 0
    failed: int
    unlabelled: int
    invalid: Mapping[str, int]
    policies: tuple[str, ...]
    figures: Figures
    groups: Mapping[str, Mapping[str, Figures]]
    worst: Mapping[str, WorstGroupFigures] = {}
    reliability: tuple[Bin, ...]
    outline: Outline | None = None
    calls: float
    tokens: float
    seconds: float


class MetricChange(_Model):
    """One method beside another, question by question.

    Attributes:
        kind: calibration: a calibrator against none; method: an estimator against the run's first; run: a method
            against its like in the first run.
        method: Name of the one.
        than: Name of the other.
        n: Questions that both were measured on.
        metrics: Metric -> the one's less the other's, over all rows, with its interval.
    """

    kind: str
    method: str
    than: str
    n: int
    metrics: Mapping[str, Estimate]


class Report(_Model):
    """The outcome of an evaluation: what was run, and one entry a method.

    Attributes:
        run: The run's configuration (of several runs, the first's), or the table that the figures were made from.
        others: The further runs that it is compared with, of the same questions.
        methods: The methods.
        changes: Differences between methods that belong together.
        leading: Metric -> the best method and all those that the answers cannot tell from it (the interval of the
            paired difference holds 0); metrics in which no method stands apart are left out.
        alike: Estimators that gave the very same answers in all runs, and are listed once.
    """

    run: RunManifest | TableOrigin
    others: tuple[RunManifest, ...] = ()
    methods: tuple[MethodReport, ...]
    changes: tuple[MetricChange, ...] = ()
    leading: Mapping[str, tuple[str, ...]] = {}
    alike: tuple[str, ...] = ()
