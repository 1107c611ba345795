"""Settings of the methods that a gateway offers; commands take those as their default, too."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from prompt4trust.estimators import ESTIMATORS
from services.common.second_model_settings import SecondModelSettings
from services.common.settings import ServiceSettings

DEFAULT_METHODS: Final = ("cgp", "cgp+logprob", "verbalized")
"""The methods that are offered where the settings do not say: those that ask each model once. Here and there the first
answers requests that name none."""


class MethodSettings(SecondModelSettings):
    """Settings of the methods and of the second model that some ask; see the gateway's settings for the sources."""

    methods: tuple[str, ...] = Field(
        default=DEFAULT_METHODS,
        min_length=1,
        description="Methods that clients may ask for, first the one for requests that name none. The default ones ask "
        "each model once; of the others one answer takes up to 40 replies of the downstream model, so whoever offers "
        "them needs deadlines and capacity for that. `trustvqa evaluate` and `calibrate` take all of them where they "
        "are told none.",
    )

    @field_validator("methods")
    @classmethod
    def _methods_exist(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in methods if name not in ESTIMATORS]:
            raise ValueError(f"no method {', '.join(map(repr, unknown))}; there are {', '.join(ESTIMATORS)}")
        return tuple(dict.fromkeys(methods))

    @model_validator(mode="after")
    def _second_model_is_there(self) -> Self:
        asking = [name for name in self.methods if ESTIMATORS[name].needs_second]
        if asking and self.second_downstream_url is None:
            raise ValueError(f"methods name {asking[0]}, which asks a second model: set second_downstream_url")
        return self


class OfferedMethods(MethodSettings, ServiceSettings, service="gateway"):
    """Methods that a gateway offers, read by whoever is no gateway: all else of its section is passed over."""

    model_config = SettingsConfigDict(extra="ignore")
    # A file may be of a trainer alone.
    needs_section: ClassVar[bool] = False
