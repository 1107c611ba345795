"""The configuration of a tuning run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.trainer.question_data import Data
from services.trainer.section import Float, Int, Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class TuningConfig(Section):
    """A tuning run of the kind calibprompt; a request to POST /v1/tunings is one.

    Attributes:
        model: Contrastive model to begin with: one of the registry, or one that is shipped.
        version: Name of the model to publish; it must be new.
        train: Questions to draw the shots from; their options are the classes.
        validation: Other questions, by which the context is measured and not chosen.
        shots: Questions of each class, or all where there are fewer.
        length: Vectors of the context.
        learning_rate: Step size at its highest; a cosine takes it to 0 after one epoch of warm-up.
        epochs: Passes over the shots.
        batch: Questions a step.
        alpha: Label smoothing of cross-entropy and of the calibration loss.
        calibration: Weight of the gap between mean confidence and smoothed frequency (SMAC).
        separation: Weight of the mean cosine between the classes' texts.
        seed: Of the shots, the context and the order.
    """

    model: Name = "contrastive-mini-1"
    version: Name
    train: Data
    validation: Data
    shots: Int = Field(default=16, ge=1, le=4096)
    length: Int = Field(default=16, ge=1, le=64)
    learning_rate: Float = Field(default=0.002, gt=0, le=10)
    epochs: Int = Field(default=50, ge=1, le=10_000)
    batch: Int = Field(default=16, ge=2, le=4096)
    alpha: Float = Field(default=0.1, ge=0, le=0.9)
    calibration: Float = Field(default=1.0, ge=0, le=1000)
    separation: Float = Field(default=0.1, ge=0, le=1000)
    seed: Int = Field(default=0, ge=0, lt=2**31)


class TuningSpec(BaseModel):
    """A tuning run's config.json: written once, before it begins.

    Attributes:
        config: The request, paths made absolute.
        base: Directory of the model to begin with.
        registry: Directory where the model is published.
        data: Directory of drawn phantoms.
        parts: Directory of pretrained parts, for a model that is made of some; None for the registry's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    config: TuningConfig
    base: Path
    registry: Path
    data: Path
    parts: Path | None = None
