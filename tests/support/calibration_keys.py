"""Calibration keys as a gateway with default settings has them."""

from __future__ import annotations

from typing import Any, cast

from prompt4trust.calibration import CalibrationKey
from prompt4trust.estimators import ESTIMATORS, get_estimator
from prompt4trust.models import Decoding, Downstream, Policy, Sampling
from prompt4trust.picture_files import PREPARATION
from prompt4trust.prompts import load_template


def decoding_of(estimator: str, sampling: Sampling = Sampling()) -> Decoding:  # noqa: B008 - frozen
    """Find the decoding that an estimator really uses where models are asked with this sampling; nobody is asked."""
    if estimator not in ESTIMATORS:
        return Decoding.of(sampling)
    nobody = cast(Downstream, object())
    template = load_template("answer-compact@1")
    made = get_estimator(estimator, nobody, cast(Policy, nobody), template, sampling, second=nobody)
    return made.decoding


def decodings(*estimators: str) -> dict[str, Decoding]:
    """Find the decodings of a run's estimators."""
    return {name: decoding_of(name) for name in estimators}


def whole_key(*, estimator: str, **named: Any) -> CalibrationKey:
    """Make a key of models, estimator and wording; decoding and pictures are the defaults' unless named."""
    conditions = {"decoding": decoding_of(estimator), "picture_preparation": PREPARATION}
    return CalibrationKey(estimator=estimator, **{**conditions, **named})
