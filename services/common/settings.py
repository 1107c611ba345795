"""Settings of a service: from the environment, over a YAML file, over defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import Field, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from yaml import CSafeLoader

from services.common.access_settings import EMPTY_IS_UNSET as EMPTY_IS_UNSET
from services.common.access_settings import AccessSettings

CONFIG_VARIABLE = "TRUSTVQA_CONFIG"
SECRETS_VARIABLE = "TRUSTVQA_SECRETS"
DEFAULT_CONFIG = Path("configs/embedded.yaml")
_SECTION = "section_that_was_read"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def host_name(host: str) -> str:
    """Take the port, and the brackets of an IPv6 address, off the value of a Host field.

    Example:
        >>> host_name("localhost:8080"), host_name("[::1]:8080"), host_name("[::1]"), host_name("ward.example")
        ('localhost', '::1', '::1', 'ward.example')
    """
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    return name.strip("[]")


class ServiceSettings(AccessSettings):
    """Settings that every service has; each service adds its own in a subclass.

    A subclass names its service: ``class GatewaySettings(ServiceSettings, service="gateway")``. A value then comes
    from, in this order: the constructor, the environment (``TRUSTVQA_GATEWAY_PORT``), a file of that name in one of
    the directories that ``TRUSTVQA_SECRETS`` names (with colons between, the last first; for keys, which whoever may
    look at a container's or a process's environment would read there), the section ``gateway`` of the YAML file that
    ``TRUSTVQA_CONFIG`` names (by default configs/embedded.yaml where that exists), the default here. A misspelt key
    in the YAML file is an error.
    """

    # An error would quote a secret that is too short.
    model_config = SettingsConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    service: ClassVar[str] = ""
    needs_section: ClassVar[bool] = True
    """Whether a YAML file must have a section of the service: not for one that most deployments go without."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on.")
    api_keys: Annotated[Path | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="File of the API keys that are taken, as `trustvqa keys` writes it; followed without a restart. "
        "Without one, whoever reaches the service may ask, and administration is for this machine alone; the gateway "
        "and the trainer then listen on loopback addresses only.",
    )
    allowed_hosts: frozenset[str] = Field(
        default=frozenset(),
        description="Further host names that a service without keys answers for, as a proxy in front of it passes them "
        "on. Where it listens on loopback, those of loopback are known.",
    )
    max_connections: int = Field(default=512, ge=1, le=65536, description="Most connections that are open at once.")
    registry: Path = Field(default=Path("var/registry"), description="Directory of policies and calibrators.")
    shipped: Path = Field(default=Path("models"), description="Directory that the registry is seeded from at start.")
    parts: Annotated[Path | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="Directory of pretrained parts that models name, made ready there once; by default cache/parts in "
        "the registry.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="How much is logged.")
    log_format: Literal["json", "console"] = Field(default="json", description="For programs, or for people.")
    shutdown_delay_s: float = Field(
        default=0.0,
        ge=0,
        description="Seconds after SIGTERM during which a service of one process still takes requests while "
        "/health/ready says no, so that what chooses among replicas hears of it.",
    )
    shutdown_grace_s: float = Field(default=20.0, gt=0, description="Seconds that requests in flight get at SIGTERM.")

    @property
    def parts_directory(self) -> Path:
        """Directory of pretrained parts."""
        return self.parts or self.registry / "cache" / "parts"

    def __init_subclass__(cls, *, service: str = "", **kwargs: Any) -> None:
        if service:
            cls.service = service
            cls.model_config = SettingsConfigDict(**{**cls.model_config, "env_prefix": f"TRUSTVQA_{service.upper()}_"})
        super().__init_subclass__(**kwargs)

    @classmethod
    def from_file(cls, path: Path, **values: Any) -> Self:
        """Read settings with the section of this YAML file, whatever TRUSTVQA_CONFIG names.

        Args:
            path: The file.
            values: Values over all others, as those of the constructor.

        Raises:
            FileNotFoundError: If there is no such file.
            ValidationError: If a value is wrong.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path} is no file")
        return cls.from_section(cls._section_of(path), **values)

    @classmethod
    def from_section(cls, section: Mapping[str, Any], **values: Any) -> Self:
        """Read settings with a section of a YAML file that was read already: no file is looked at.

        Args:
            section: Names and values of the section.
            values: Values over all others, as those of the constructor.

        Raises:
            ValidationError: If a value is wrong.
        """
        return cls(**{_SECTION: section, **values})

    @classmethod
    def _section_of(cls, path: Path) -> Mapping[str, Any]:
        try:
            section = read_yaml(path)[cls.service]
        except KeyError:
            if cls.needs_section:
                raise KeyError(f"{path} has no section {cls.service!r}") from None
            section = None
        if not isinstance(section, dict | None):
            raise TypeError(f"{cls.service} ({path}) must be names and values")
        return section or {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment over the files with secrets, and those over the YAML file."""
        assert isinstance(init_settings, InitSettingsSource)  # noqa: S101 - BaseSettings makes it one
        section = init_settings.init_kwargs.pop(_SECTION, None)
        if section is None:
            section = cls._section_of(path) if (path := _named_file()).is_file() else {}
        if secrets := secrets_directories(os.environ.get(SECRETS_VARIABLE, "")):
            for each in secrets:
                if not each.is_dir():
                    raise FileNotFoundError(f"{SECRETS_VARIABLE} names {each}, which is no directory")
            file_secret_settings = SecretsSettingsSource(settings_cls, secrets_dir=secrets)
        of_file = InitSettingsSource(settings_cls, dict(section))
        return (init_settings, env_settings, file_secret_settings, of_file)

    @model_validator(mode="after")
    def _service_is_named(self) -> ServiceSettings:
        if not self.service:
            raise TypeError("subclass ServiceSettings with service='...'")
        return self

    @property
    def asks_who(self) -> bool:
        """Whether callers must show who they are: by a key, or by a token."""
        return self.api_keys is not None or self.oidc_issuer is not None

    @property
    def answered_hosts(self) -> frozenset[str] | None:
        """Host names that are answered; None for all, where keys, tokens or the network decide who may ask."""
        named = frozenset(name.strip().lower() for name in self.allowed_hosts)
        if self.asks_who or not (self.is_loopback or named):
            return None
        return named | LOOPBACK | {self.host.lower()}

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK


def read_yaml(path: Path) -> Any:
    """Read a YAML file, whatever it holds; an empty one as an empty object.

    By libyaml: the reader in Python takes a sixth of a gateway's start.

    Raises:
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is not UTF-8.
        yaml.YAMLError: If it is not YAML.
    """
    return yaml.load(path.read_text(encoding="utf-8"), Loader=CSafeLoader) or {}


def config_file() -> Path:
    """Name the YAML file that settings are read from, whether or not it is there."""
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else DEFAULT_CONFIG


def _named_file() -> Path:
    named, path = os.environ.get(CONFIG_VARIABLE), config_file()
    if named and not path.is_file():
        raise FileNotFoundError(f"{CONFIG_VARIABLE} names {named}, which is no file")
    return path


def secrets_directories(named: str) -> list[Path]:
    """Split TRUSTVQA_SECRETS: directories with colons between; where two have a file, the last one's counts.

    Args:
        named: The variable's value; empty for none.
    """
    return [Path(each) for each in named.split(os.pathsep) if each]
