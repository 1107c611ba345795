"""Compose files as these tests read them: variables put in, files laid over each other, every key checked.

`docker compose config` does the same where there is a Docker; this needs none. It knows the keys that the project uses:
whatever else stands in a file is taken for a misspelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?:(?P<kind>:?-)(?P<default>[^}]*))?\}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


_Seconds = Annotated[str, StringConstraints(pattern=r"^[1-9]\d*s$")]
_Size = Annotated[str, StringConstraints(pattern=r"^[1-9]\d*[mg]$")]
_User = Annotated[str, StringConstraints(pattern=r"^\d+:\d+$")]
_Volume = Annotated[str, StringConstraints(pattern=r"^[\w./-]+:/[\w./-]+(:ro)?$")]
_Tmpfs = Annotated[str, StringConstraints(pattern=r"^/[\w/]+:size=[1-9]\d*[mg],mode=1777(,exec)?$")]


class Build(_Strict):
    context: Literal["."] = "."
    target: str
    args: dict[str, str] = {}


class _Create(_Strict):
    create_host_path: bool


class Bind(_Strict):
    type: Literal["bind"]
    source: str
    target: str
    read_only: bool
    bind: _Create


class Condition(_Strict):
    condition: Literal["service_healthy", "service_completed_successfully", "service_started"]
    required: bool = True


class Healthcheck(_Strict):
    test: list[str] | None = None
    interval: _Seconds | None = None
    timeout: _Seconds | None = None
    retries: int | None = None
    start_period: _Seconds | None = None
    disable: bool = False


class EnvFile(_Strict):
    path: Literal[".env"]
    required: bool


class Device(_Strict):
    driver: Literal["nvidia"]
    device_ids: list[Annotated[str, StringConstraints(pattern=r"^\d+$")]]
    capabilities: list[Literal["gpu"]]


class _Reservations(_Strict):
    devices: list[Device]


class _Resources(_Strict):
    reservations: _Reservations


class Deploy(_Strict):
    resources: _Resources


class LoggingOptions(_Strict):
    max_size: _Size = Field(alias="max-size")
    max_file: Annotated[str, StringConstraints(pattern=r"^\d$")] = Field(alias="max-file")


class Logging(_Strict):
    driver: Literal["json-file"]
    options: LoggingOptions


class Service(_Strict):
    image: str
    build: Build | None = None
    pull_policy: Literal["never"] | None = None
    profiles: list[Literal["postgres", "redis", "observability", "next", "pacs"]] = []
    entrypoint: list[str] | None = None
    command: list[str] = []
    environment: dict[str, str] = {}
    env_file: list[EnvFile] = []
    networks: list[str]
    ports: list[str] = []
    volumes: list[_Volume | Bind] = []
    tmpfs: list[_Tmpfs] = []
    depends_on: dict[str, Condition] = {}
    healthcheck: Healthcheck | None = None
    init: bool = False
    user: _User | None = None
    read_only: bool = False
    cap_drop: list[str] = []
    security_opt: list[str] = []
    restart: str = "no"
    stop_grace_period: _Seconds | None = None
    logging: Logging | None = None
    mem_limit: _Size | None = None
    shm_size: _Size | None = None
    pids_limit: int | None = None
    deploy: Deploy | None = None

    def mounts(self) -> dict[str, tuple[str, bool]]:
        """Mounts: target -> (source, whether it may be written)."""
        found = {}
        for each in self.volumes:
            if isinstance(each, Bind):
                found[each.target] = (each.source, not each.read_only)
            else:
                source, target, *mode = each.split(":")
                found[target] = (source, mode != ["ro"])
        return found


class Network(_Strict):
    internal: bool = False


class Volume(_Strict):
    pass


class Stack(_Strict):
    name: str
    services: dict[str, Service]
    networks: dict[str, Network] = Field(default_factory=dict)
    volumes: dict[str, Volume] = Field(default_factory=dict)


class _Override(list[Any]):
    """A list that replaces the one below it."""


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!override", lambda loader, node: _Override(loader.construct_sequence(node, deep=True)))  # type: ignore[arg-type]
_Loader.add_constructor("!reset", lambda _loader, _node: None)


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Put variables and their defaults in, as Compose does."""

    def value(match: re.Match[str]) -> str:
        found = variables.get(match["name"])
        if found is None or (not found and match["kind"] == ":-"):
            return match["default"] or ""
        return found

    return _VARIABLE.sub(value, text)


def variables(*files: Path) -> dict[str, set[str]]:
    """The variables of files: name -> the defaults that are given for it."""
    found: dict[str, set[str]] = {}
    for file in files:
        for match in _VARIABLE.finditer(file.read_text(encoding="utf-8")):
            found.setdefault(match["name"], set()).add(match["default"] or "")
    return found


def read(*files: Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read compose files, each over those before it.

    Returns:
        What they say together, without the parts whose names begin with x-.
    """
    merged: dict[str, Any] = {}
    for file in files:
        loaded = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - safe, with two tags more
        merged = _laid_over(merged, {key: value for key, value in loaded.items() if not key.startswith("x-")})
    substituted: dict[str, Any] = _substituted(merged, environment or {})
    return substituted


def _substituted(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _substituted(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_substituted(each, variables) for each in value]
    return substitute(value, variables) if isinstance(value, str) else value


def _laid_over(below: Any, above: Any, key: str = "") -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        both = {name: _laid_over(below[name], above[name], name) for name in below.keys() & above.keys()}
        return {**below, **above, **both}
    if isinstance(below, list) and isinstance(above, list) and not isinstance(above, _Override):
        return above if key in ("command", "entrypoint", "test") else [*below, *above]
    return above
