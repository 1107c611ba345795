"""Settings of the policy service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.settings import EMPTY_IS_UNSET, ServiceSettings


class PolicySettings(ServiceSettings, service="policy"):
    """Settings of the policy service; see ServiceSettings for where they come from."""

    # An address of a Redis may hold a password.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    port: int = Field(default=8081, ge=1, le=65535, description="Port to listen on.")
    version: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Version that goes live where none is yet; afterwards the registry says which."
    )

    required: bool = Field(
        default=True,
        description="Whether it takes a live policy to be ready; false where no method of the gateway asks one.",
    )

    engine: Literal["transformers", "openai"] = Field(
        default="transformers",
        description="transformers: in this process; openai: an OpenAI-compatible server (vLLM) at upstream_url.",
    )
    device: str = Field(default="auto", description="Where the transformers engine runs: auto, cpu, cuda, cuda:1, ...")
    upstream_url: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="Base URL of the openai engine, ending in /v1; or several, separated by commas: each version is "
        "asked for where it is served, so that a new one can take over from a second server.",
    )
    upstream_model: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Model name to ask the openai engine for; by default each version's own name."
    )
    upstream_api_key: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Key to show to that server."
    )

    deadline_s: float = Field(default=20.0, gt=0, le=600, description="Seconds within which every request is answered.")
    max_in_flight: int = Field(default=64, ge=1, description="Prompts being written at once; more are answered 429.")
    max_n: int = Field(default=16, ge=1, le=128, description="Largest n of a request.")
    max_tokens: int = Field(default=128, ge=1, description="Longest guidance prompt, in tokens.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus for sampled prompts.")
    top_k: int = Field(default=0, ge=0, description="Candidates for sampled prompts; 0 for all.")
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="Largest request body.")
    body_timeout_s: float = Field(default=10.0, gt=0, description="Seconds that a client may take to send a body.")

    cache_entries: int = Field(default=4096, ge=0, description="Greedy replies that are kept; 0 keeps none.")
    cache_ttl_s: float = Field(default=24 * 3600.0, gt=0, description="Seconds for which a greedy reply is kept.")
    guidance_cache_url: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="A Redis by which policy services share greedy guidance: redis://host:6379/0, rediss:// or "
        "unix://. It may be away or full at any time, which costs nothing but speed.",
    )
    guidance_cache_secret: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None,
        min_length=32,
        description="Secret of at least 32 random characters, the same for all services that share it: Redis holds "
        "questions as hashes under it, and guidance is taken from there only if it is signed with it.",
    )
    guidance_cache_deadline_s: float = Field(
        default=0.05, gt=0, le=1, description="Longest wait for it; then guidance is written as without it."
    )
    idle_versions: int = Field(
        default=1, ge=0, description="Versions that stay in memory besides the active one when nobody is using them."
    )
    poll_interval_s: float = Field(
        default=2.0, ge=0.05, le=60, description="Seconds between looks at whether the registry's active.json changed."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> PolicySettings:
        urls = self.upstream_urls or ("",)
        if self.engine == "openai" and not all(url.startswith(("http://", "https://")) for url in urls):
            raise ValueError("engine 'openai' needs upstream_url, http or https addresses that end in /v1")
        if self.guidance_cache_url is not None:
            if self.guidance_cache_secret is None:
                raise ValueError("guidance_cache_url needs guidance_cache_secret")
            if not self.guidance_cache_url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
                raise ValueError("guidance_cache_url is no address of a Redis: redis://, rediss:// or unix://")
        if self.max_n > self.max_in_flight:
            raise ValueError("max_n must not exceed max_in_flight, or such a request could never be taken")
        return self

    @property
    def upstream_urls(self) -> tuple[str, ...]:
        """The servers that upstream_url names."""
        return tuple(url.strip() for url in (self.upstream_url or "").split(",") if url.strip())
