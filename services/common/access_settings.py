"""Settings about who may ask beside the holders of keys, and how often: the same for every service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from services.common.address import is_safe_address
from services.common.rates import Rate

EMPTY_IS_UNSET: Final = BeforeValidator(lambda value: None if value == "" else value)
"""Takes an empty text for None, in settings that may be unset: Compose passes ${UNSET:-} as an empty string."""

RightName = Literal["ask", "feedback", "metrics", "admin"]
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip
"""Signature algorithms of tokens: asymmetric ones alone, so that nobody who can check a token can make one."""

DEFAULT_SCOPES: Final[Mapping[str, frozenset[RightName]]] = {
    "trustvqa:ask": frozenset({"ask"}),
    "trustvqa:feedback": frozenset({"feedback"}),
    "trustvqa:metrics": frozenset({"metrics"}),
    "trustvqa:admin": frozenset({"admin"}),
    "user/ImagingStudy.rs": frozenset({"ask"}),
    "system/ImagingStudy.rs": frozenset({"ask"}),
    "user/Observation.u": frozenset({"feedback"}),
}
"""Rights that scopes give by default. Whoever may look for pictures may ask about them; a person who may change
observations may say what was right. No scope of SMART administers, and none that a patient's own app has asks."""


class AccessSettings(BaseSettings):
    """Settings about tokens of an issuer, and about how much one caller may ask."""

    oidc_issuer: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="Issuer of OpenID Connect whose access tokens are taken beside API keys, exactly as tokens name it "
        "in `iss`: https://login.hospital.example/realms/ward. Empty for none.",
    )
    oidc_audience: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="Name of this service in the tokens' `aud`; needed with an issuer: a token for another service is "
        "refused.",
    )
    oidc_jwks_url: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="Address of the issuer's public keys (JWKS); empty for the one that its OpenID configuration "
        "names. https, but for this machine itself.",
    )
    oidc_algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "RS384", "PS256", "PS384", "ES256", "ES384"),
        min_length=1,
        description="Signature algorithms of tokens that are taken. Asymmetric ones alone can be named.",
    )
    oidc_leeway_s: float = Field(
        default=30.0, ge=0, le=300, description="Seconds by which the issuer's clock may differ."
    )
    oidc_refresh_s: float = Field(
        default=300.0,
        gt=0,
        le=86_400,
        description="Seconds from one reading of the issuer's keys to the next: a key that it withdraws is taken for "
        "so long at most.",
    )
    oidc_unknown_key_s: float = Field(
        default=30.0,
        ge=1,
        description="Least seconds between two readings of them because tokens name a key that is not known.",
    )
    oidc_stale_s: float = Field(
        default=3600.0,
        gt=0,
        description="Seconds for which the keys that were read last count while the issuer cannot be reached. Beyond "
        "it all tokens are refused.",
    )
    oidc_subject_secret: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None,
        min_length=32,
        description="Secret of the keyed hashes that stand for tokens' subjects in logs and records, of at least 32 "
        "random characters and the same for all services and replicas. Needed with an issuer.",
    )
    oidc_scopes: dict[str, frozenset[RightName]] = Field(
        default=dict(DEFAULT_SCOPES),
        description="Scope of a token -> what it allows: ask, feedback, metrics, admin. One of SMART on FHIR is given "
        "by every scope that covers it, as user/*.cruds does user/ImagingStudy.rs.",
    )

    rate_limit: Annotated[Rate | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="Most requests of one key, of one subject of tokens, or without either of one address, as "
        "60/minute; empty for no bound. A key may have a rate of its own.",
    )
    rate_limits: dict[RightName, Rate] = Field(
        default_factory=dict,
        description="The same by a caller's highest right: admin, feedback, ask, metrics.",
    )
    concurrent_limit: Annotated[int | None, EMPTY_IS_UNSET] = Field(
        default=None,
        ge=1,
        description="Most requests of one of these that a service's processes answer at once; empty for no bound.",
    )
    concurrent_limits: dict[RightName, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, description="The same by a caller's highest right."
    )
    rate_redis_url: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="A Redis in which all processes and replicas count together, and know which tokens of CDS Hooks "
        "were used: redis://host:6379/1 or rediss://. Empty to share rates out among the workers of a service.",
    )

    @field_validator("rate_redis_url")
    @classmethod
    def _redis_is_one(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("is no address of a Redis: redis://, rediss:// or unix://")
        return url

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _address_is_safe(cls, url: str | None) -> str | None:
        if url is not None and not is_safe_address(url):
            raise ValueError("must be an https address, or one of this machine, without a user's name")
        return url

    @model_validator(mode="after")
    def _issuer_is_complete(self) -> Self:
        if self.oidc_issuer is not None and (self.oidc_audience is None or self.oidc_subject_secret is None):
            raise ValueError(
                "oidc_issuer needs oidc_audience, the name of this service in its tokens, and oidc_subject_secret, for "
                "instance from `openssl rand -hex 32`"
            )
        return self
