"""Settings of the listener."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.address import HttpAddress
from services.common.pacs.archive import PacsCredentials
from services.common.settings import EMPTY_IS_UNSET, ServiceSettings

AeTitle = Annotated[str, StringConstraints(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$")]
"""An AE title: 1 to 16 characters of ASCII without a backslash, and no blank at either end (PS3.5, 6.2)."""


class ListenerSettings(ServiceSettings, service="listener"):
    """Settings of the listener; see ServiceSettings for where they come from."""

    # An address may hold a password.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    needs_section: ClassVar[bool] = False

    port: int = Field(default=8084, ge=1, le=65535, description="Port to listen on, for health and metrics.")
    rules: Path = Field(default=Path("configs/rules.yaml"), description="File of the rules (docs/hospital.md).")
    state: Path = Field(
        default=Path("var/listener/state.db"), description="SQLite file of what is done; it is not to be shared."
    )
    pacs_url: HttpAddress = Field(
        default="http://127.0.0.1:8042/dicom-web", description="DICOMweb root of the archive, for QIDO, WADO and STOW."
    )
    pacs_token: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Bearer token that the archive is shown."
    )
    pacs_user: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None, description="User by whose name the archive is asked, where it wants no token."
    )
    pacs_password: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Password of that user."
    )
    pacs_deadline_s: float = Field(default=30.0, gt=0, le=600, description="Longest wait for a reply of the archive.")
    gateway_url: HttpAddress = Field(default="http://127.0.0.1:8080", description="The gateway that is asked.")
    gateway_api_key: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Key to show to it, with the scope ask."
    )
    gateway_deadline_s: float = Field(default=120.0, gt=0, le=600, description="Longest wait for a reply of it.")
    every_s: float = Field(default=10.0, gt=0, le=3600, description="Seconds between two looks into the archive.")
    looks: bool = Field(
        default=True,
        description="Whether the archive is looked into for new instances; off where all of them are sent by C-STORE.",
    )
    store_port: Annotated[int | None, EMPTY_IS_UNSET] = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port at which DICOM objects are received by C-STORE, commonly 11112; empty for not at all.",
    )
    store_host: str = Field(default="127.0.0.1", description="Address to listen on for them.")
    store_aet: AeTitle = Field(default="TRUSTVQA", description="AE title by which senders must call the listener.")
    store_callers: frozenset[AeTitle] = Field(
        default=frozenset(), description="AE titles that may send; nobody else is let in."
    )
    store_associations: int = Field(default=8, ge=1, le=100, description="Most associations at once.")
    store_pdu_bytes: int = Field(
        default=131_072, ge=4_096, le=4_194_304, description="Longest PDU that senders are asked for."
    )
    store_deadline_s: float = Field(default=300.0, gt=0, le=3600, description="Longest time for an object to come.")
    store_idle_s: float = Field(default=60.0, gt=0, le=3600, description="Longest silence of a sender.")
    received: Path = Field(
        default=Path("var/listener/received"),
        description="Folder in which received objects are kept until their reports are stored; it is not to be shared.",
    )
    received_bytes: int = Field(
        default=20_000_000_000, ge=1, description="Most bytes in it; beyond it senders are told to come later."
    )
    study_days: int = Field(
        default=2,
        ge=0,
        le=3650,
        description="Only studies of the last so many days, by their Study Date; 0 for all, also those without one.",
    )
    max_instances: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Most instances of a modality that are looked at in one look."
    )
    max_instance_bytes: int = Field(
        default=200_000_000, ge=1, description="Largest instance that is fetched or received."
    )
    at_once: int = Field(default=4, ge=1, le=64, description="Instances that are worked on at once.")
    most_waiting: int = Field(
        default=100_000,
        ge=1,
        description="Most instances that wait; beyond it nothing new is taken until some are done.",
    )
    patience_s: float = Field(
        default=7 * 86_400.0,
        gt=0,
        description="Seconds after which an instance that still cannot be answered is given up.",
    )
    longest_pause_s: float = Field(default=600.0, gt=0, description="Longest pause between two tries of an instance.")
    keep_days: int = Field(default=3650, ge=1, description="Days for which what was done is remembered.")

    @field_validator("pacs_url", "gateway_url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _somebody_may_send(self) -> Self:
        if self.store_port is not None and not self.store_callers:
            raise ValueError("store_port is set, so that store_callers must name the AE titles that may send")
        if self.store_port is None and not self.looks:
            raise ValueError("looks is off and store_port is not set: no instance would ever be found")
        return self

    @property
    def credentials(self) -> PacsCredentials:
        """Credentials that the archive is shown."""
        token, password = self.pacs_token, self.pacs_password
        return PacsCredentials(
            None if token is None else token.get_secret_value(),
            self.pacs_user,
            None if password is None else password.get_secret_value(),
        )
