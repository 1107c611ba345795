"""Where a gateway keeps its records and the secrets of its audit log, as commands find them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.settings import EMPTY_IS_UNSET, ServiceSettings
from services.common.startup import SettingsFaultError, settings_of
from services.gateway.database_url import database_url
from services.gateway.records.connection.database import Database
from services.gateway.settings import GatewaySettings
from trustvqa.cli.errors import CommandError, fail

_PATIENCE_S = 30.0


class AuditSettings(ServiceSettings, service="gateway"):
    """The settings of a gateway that its audit log depends on; of its section nothing else matters here."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    records_url: SecretStr = Field(default=SecretStr("sqlite:///var/records.db"))
    record_hash_secret: Annotated[SecretStr | None, EMPTY_IS_UNSET] = None
    audit_secret: Annotated[SecretStr | None, EMPTY_IS_UNSET] = None


def audit_settings() -> AuditSettings:
    """Read them, or end the command: by a misspelt one other records would be looked at than were meant."""
    try:
        return settings_of(AuditSettings, whole=GatewaySettings)
    except SettingsFaultError as error:
        fail(str(error), 2)


def database_of(settings: AuditSettings, records: str | None) -> Database:
    """Open the records, which are only read: their tables are left as they are.

    Args:
        settings: The gateway's.
        records: An address to use instead of theirs, or None.

    Raises:
        CommandError: If there are none, or the address is none.
    """
    url = records if records is not None else settings.records_url.get_secret_value()
    if not url:
        raise CommandError("no records are kept: records_url is empty")
    try:
        database = Database(database_url(url), timeout_s=_PATIENCE_S, upgrades=False)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if database.file is not None and not database.file.is_file():
        raise CommandError(f"there are no records at {database.file}")
    return database
