"""Settings of CDS Hooks at the gateway."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

from services.common.access_settings import EMPTY_IS_UNSET
from services.common.address import is_safe_address


class CdsHooksSettings(BaseSettings):
    """Settings of CDS Hooks; see the gateway's settings for where values come from."""

    cds_hooks_url: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="This gateway's address as clients of CDS Hooks know it, without a path: "
        "https://trustvqa.hospital.example. Their tokens are made for it, and cards link to it. Empty for none of "
        "that.",
    )
    cds_clients: dict[str, str] = Field(
        default_factory=dict,
        description="Clients of CDS Hooks that are let in by tokens of their own: `iss` of the tokens -> address of "
        "the client's public keys (JWKS), https but for this machine itself. They may ask and give feedback by CDS "
        "Hooks, and nothing else.",
    )

    @field_validator("cds_hooks_url")
    @classmethod
    def _url_has_no_path(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not is_safe_address(url) or "/" in url.partition("://")[2].rstrip("/") or "?" in url:
            raise ValueError("must be an https address without a path, or one of this machine")
        return url.rstrip("/")

    @field_validator("cds_clients")
    @classmethod
    def _keys_are_safe(cls, clients: dict[str, str]) -> dict[str, str]:
        for issuer, url in clients.items():
            if not issuer or not is_safe_address(url):
                raise ValueError(f"the keys of {issuer!r} must be at an https address, or on this machine")
        return clients

    @model_validator(mode="after")
    def _clients_have_an_address(self) -> Self:
        if self.cds_clients and self.cds_hooks_url is None:
            raise ValueError("cds_clients needs cds_hooks_url, for which the clients' tokens are made")
        return self
