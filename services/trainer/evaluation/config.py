"""The configuration of an evaluation run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from prompt4trust.evaluation.probes import PROBES
from services.trainer.errors import EvaluationError
from services.trainer.evaluation.prediction_run import method_names
from services.trainer.question_data import Data
from services.trainer.section import Float, Int, Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class EvaluationConfig(Section):
    """An evaluation run; a request to POST /v1/evaluations is one.

    Attributes:
        data: Questions: phantoms to draw, or a file by its path below the service's data directory.
        methods: Methods to compare; "all" stands for every one.
        probes: Ways to ask the questions spoilt, too.
        policy_version: Policy version to ask, or None for the active one.
        calibrators: auto: apply what the registry has for these models; none: apply nothing.
        concurrency: Questions in flight at once.
        deadline_s: Longest wait for one reply, retries included.
        temperature: Of the downstream model, or None for the service's setting; 0 is greedy.
        top_p: Nucleus, or None for the service's setting; 1 for all.
        top_k: Candidates, or None for the service's setting; 0 for all.
        max_tokens: Longest reply, or None for the service's setting.
        sampling_seed: Seed that those of sampled replies and of noise derive from.
        resamples: Bootstrap resamples for the intervals.
    """

    data: Data
    methods: tuple[str, ...] = Field(default=("verbalized", "cgp"), min_length=1, max_length=32)
    probes: tuple[str, ...] = Field(
        default=(), max_length=8, json_schema_extra={"items": {"type": "string", "enum": [*PROBES]}}
    )
    policy_version: Name | None = None
    calibrators: Literal["auto", "none"] = "auto"
    concurrency: Int = Field(default=32, ge=1, le=1024)
    deadline_s: Float = Field(default=120.0, gt=0, le=3600)
    temperature: Float | None = Field(default=None, ge=0)
    top_p: Float | None = Field(default=None, gt=0, le=1)
    top_k: Int | None = Field(default=None, ge=0, lt=2**31)
    max_tokens: Int | None = Field(default=None, ge=1, lt=2**31)
    sampling_seed: Int | None = Field(default=None, ge=-(2**63), lt=2**63)
    resamples: Int = Field(default=1000, ge=1, le=10_000)

    @field_validator("methods")
    @classmethod
    def _methods_exist(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(method_names(methods))
        except EvaluationError as error:
            raise ValueError(str(error)) from error

    @field_validator("probes")
    @classmethod
    def _probes_exist(cls, probes: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in probes if name not in PROBES]:
            raise ValueError(f"no probe {', '.join(map(repr, unknown))}; there are {', '.join(PROBES)}")
        return tuple(dict.fromkeys(probes))

    def over(self, models: dict[str, Any]) -> dict[str, Any]:
        """Lay the request's values over the settings of the models."""
        given = {name: getattr(self, name) for name in ("temperature", "top_p", "top_k", "max_tokens", "sampling_seed")}
        return {**models, **{name: value for name, value in given.items() if value is not None}}


class EvaluationSpec(BaseModel):
    """An evaluation run's config.json: written once, before it begins.

    Attributes:
        config: The request, paths made absolute.
        models: The models' settings (fields of ModelSettings), the API key excepted.
        registry: Directory of calibrators.
        data: Directory of drawn phantoms.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    config: EvaluationConfig
    models: dict[str, Any]
    registry: Path
    data: Path
