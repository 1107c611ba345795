"""Settings of the downstream service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from services.common.pictures.settings import PictureServiceSettings
from services.common.settings import EMPTY_IS_UNSET


class DownstreamSettings(PictureServiceSettings, service="downstream"):
    """Settings of the downstream service; see ServiceSettings for where they come from.

    A hosted provider needs no downstream service: point the clients' ``downstream_url`` at it.
    """

    port: int = Field(default=8082, ge=1, le=65535, description="Port to listen on.")
    engine: Literal["transformers", "vllm"] = Field(
        default="transformers",
        description="transformers: in this process; vllm: this process becomes `vllm serve` (see vllm_command).",
    )
    model_path: str = Field(
        default="models/downstream-mini-1",
        description="Directory in Hugging Face layout; the vllm engine also takes a hub name.",
    )
    model: str = Field(default="downstream-mini-1", min_length=1, description="Name under which the model is served.")
    device: str = Field(default="auto", description="Where the transformers engine runs: auto, cpu, cuda, cuda:1, ...")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Type of the weights; auto is float32 on a CPU, else as saved. Only float32 makes a seeded "
        "request's text independent of what else runs.",
    )
    threads: int = Field(
        default=0, ge=0, description="Threads of the model's arithmetic; 0 for OMP_NUM_THREADS, else the cores."
    )
    max_model_len: Annotated[int | None, EMPTY_IS_UNSET] = Field(
        default=None, ge=16, description="Most tokens of prompt and completion; by default what the model was made for."
    )
    max_batch: int = Field(default=32, ge=1, le=1024, description="Most samples that run at once.")
    max_waiting: int = Field(default=256, ge=0, description="Most samples that wait; more are answered 429.")
    max_n: int = Field(default=64, ge=1, le=1024, description="Largest n of a request.")
    prefix_entries: int = Field(
        default=64,
        ge=0,
        le=4096,
        description="Prompts with images whose keys and values are kept, so that another one that begins alike reads "
        "only what is new; of a contrastive model images' vectors, and 64 times as many options'. They stay until "
        "newer ones take their places; 0 for none. Of the transformers engine; vLLM has --enable-prefix-caching.",
    )
    prefix_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        description="Most bytes of these, and most of the images made ready beside them.",
    )
    max_images: int = Field(default=4, ge=0, description="Most images in a request.")
    image_hosts: frozenset[str] = Field(
        default=frozenset(),
        description="Hosts that http(s) image URLs may name. None by default: fetching what a client names lets it "
        "reach whatever this service can reach.",
    )
    image_timeout_s: float = Field(default=5.0, gt=0, le=60, description="Seconds for fetching an allowed image.")
    deadline_s: float = Field(default=120.0, gt=0, le=3600, description="Seconds within which a request must be done.")
    max_body_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, description="Largest request body.")
    body_timeout_s: float = Field(default=30.0, gt=0, description="Seconds that a client may take to send a body.")

    vllm_command: str = Field(default="vllm", min_length=1, description="The vllm program, by name or path.")
    vllm_args: tuple[str, ...] = Field(default=(), description="Further arguments of `vllm serve`, after all others.")

    @model_validator(mode="after")
    def _keys_are_asked_for(self) -> DownstreamSettings:
        if self.engine == "vllm" and self.asks_who:
            raise ValueError(
                "vLLM knows no file of keys and no issuer of tokens: leave api_keys and oidc_issuer out and set "
                "VLLM_API_KEY to a key's text"
            )
        return self

    @field_validator("image_hosts")
    @classmethod
    def _hosts_are_names(cls, hosts: frozenset[str]) -> frozenset[str]:
        for host in hosts:
            if not host or set(host) & set("/:@*?# "):
                raise ValueError(f"{host!r} is not a host name")
        return frozenset(host.lower().rstrip(".") for host in hosts)
