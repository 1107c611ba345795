"""Settings at the start of a service or command: read, or refused by the variable or the place in the file."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.common.settings import SECRETS_VARIABLE, ServiceSettings, config_file, read_yaml

STATUS: Final = 2

Settings = TypeVar("Settings", bound=ServiceSettings)

# Kubernetes gives each container the addresses of services beside it, which are named as settings are; a plain
# ..._PORT, which may as well be a misspelt setting, is told by the ..._SERVICE_HOST beside it.
_OF_KUBERNETES: Final = re.compile(r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_\w+)")
_RENAMED: Final[Mapping[str, str]] = {"TRUSTVQA_GATEWAY_LOGPROBS_PAUSE_S": "TRUSTVQA_GATEWAY_REFUSAL_PAUSE_S"}
"""Variables of earlier versions, and what they are called now."""
_OF_CLIENTS: Final = frozenset({"TRUSTVQA_TRAINER_URL"})
"""Variables that programs read which ask a service, perhaps started from the same shell."""
_FIELD: Final = re.compile(r'field "(\w+)"')


def read_settings(kind: type[Settings], given: Mapping[str, Any] | None = None) -> Settings:
    """Read a service's settings, or end the process with status 2; the message says what to correct.

    A variable of no setting ends it as well: a misspelt bound would otherwise be left at its default without a word.
    Settings that are a part of their section pass others over.

    Args:
        kind: The service's settings.
        given: Values over all others.
    """
    try:
        return settings_of(kind, given)
    except SettingsFaultError as fault:
        sys.stderr.write(f"error: {fault}\n")
        raise SystemExit(STATUS) from None


class SettingsFaultError(ValueError):
    """Settings cannot be used; the message says what to correct, in lines."""


def settings_of(
    kind: type[Settings],
    given: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
    whole: type[ServiceSettings] | None = None,
) -> Settings:
    """Read a service's settings, or say what to correct.

    Args:
        kind: The service's settings, or those of a part of their section.
        given: Values over all others; a fault of one is told by its name alone.
        file: The YAML file to read, whatever TRUSTVQA_CONFIG names.
        whole: Settings of the whole section, where `kind` is a part of it: what is none of these is misspelt.

    Raises:
        SettingsFaultError: If they cannot be used.
    """
    whole = whole or kind
    reads_all = whole.model_config.get("extra") != "ignore"
    if reads_all and (unknown := unknown_variables(whole, os.environ)):
        _fail(["there are variables of no setting, and a misspelt one would be without effect:", *unknown])
    if file is not None and not file.is_file():
        _fail([f"{file} is no file"])
    path = file or config_file()
    section = _section(kind, path) if path.is_file() else None
    if whole is not kind and section is not None:
        _refuse_strange_names(whole, section, path)
    given = given or {}
    try:
        # One that is named and not there is told by the constructor.
        return kind(**given) if section is None else kind.from_section(section, **given)
    except ValidationError as error:
        _fail(["settings that cannot be used:", *_faults(kind, error, path, given)])
    except SettingsError as error:
        found = _FIELD.search(str(error))
        place = _variable(kind, found[1]) if found else str(error)
        if isinstance(error.__cause__, UnicodeDecodeError):
            _fail([f"{place}: the file that holds it ({SECRETS_VARIABLE}) is not UTF-8: save it as that"])
        _fail([f'{place}: lists and objects are written as JSON, such as ["a", "b"]'])
    except OSError as error:
        _fail([str(error)])


def _refuse_strange_names(whole: type[ServiceSettings], section: Mapping[str, Any], path: Path) -> None:
    """Refuse names of a section that are none of its settings, which a part of it would pass over."""
    names = sorted(str(name) for name in section if name not in whole.model_fields)
    if names:
        places = [f"{_place(whole, [name], path)}: {no_such_setting(name, whole.model_fields)}" for name in names]
        _fail(["settings that cannot be used:", *places])


def _section(kind: type[ServiceSettings], path: Path) -> Mapping[str, Any]:
    """Read a service's section of a YAML file, or say what keeps it from being read; values are looked at later."""
    try:
        sections = read_yaml(path)
    except yaml.YAMLError as error:
        fault = " ".join(str(error).split())
        _fail([f"{path} is not YAML: {fault} (lines are indented by spaces, not by tabs)"])
    except UnicodeDecodeError:
        _fail([f"{path} is not UTF-8: save it as that"])
    except OSError as error:
        _fail([str(error)])
    if not isinstance(sections, dict):
        _fail([f"{path} must be names and values: a section a service, and in it its settings"])
    if kind.service not in sections and kind.needs_section:
        _fail([f"{path} has no section {kind.service!r}: is it misspelt there?"])
    section = sections.get(kind.service, {})
    if not isinstance(section, dict):
        _fail([f"{kind.service} ({path}) must be names and values"])
    return section


def unknown_variables(kind: type[ServiceSettings], names: Iterable[str]) -> list[str]:
    """List the variables that are named as a service's settings are and are none, each with what may be meant.

    Example:
        >>> from services.gateway.settings import GatewaySettings
        >>> unknown_variables(GatewaySettings, ["TRUSTVQA_GATEWAY_MAX_RSIK", "TRUSTVQA_GATEWAY_PORT", "HOME"])
        ['TRUSTVQA_GATEWAY_MAX_RSIK (is TRUSTVQA_GATEWAY_MAX_RISK meant?)']
    """
    prefix = _variable(kind, "")
    fields = {field.upper() for field in kind.model_fields}
    given = {name.upper(): name for name in sorted(names)}
    found = []
    for own, name in given.items():
        field = own.removeprefix(prefix)
        if not own.startswith(prefix) or field in fields or own in _OF_CLIENTS or _is_of_kubernetes(field, own, given):
            continue
        if own in _RENAMED:
            found.append(f"{name} (is called {_RENAMED[own]} now)")
            continue
        near = difflib.get_close_matches(field, fields, n=1)
        found.append(f"{name} (is {_variable(kind, near[0])} meant?)" if near else name)
    return found


def _is_of_kubernetes(field: str, name: str, names: Collection[str]) -> bool:
    beside = f"{name.removesuffix('_PORT')}_SERVICE_HOST"
    return bool(_OF_KUBERNETES.fullmatch(field)) or (name.endswith("_PORT") and beside in names)


def _faults(kind: type[ServiceSettings], error: ValidationError, file: Path, given: Collection[str]) -> Iterable[str]:
    """Name each fault with the variable that has it, else with the place in the file."""
    variables = {name.upper() for name in os.environ}
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        path = [str(part) for part in fault["loc"]]
        variable = _variable(kind, path[0]) if path else ""
        if path and path[0] in given:
            place = ".".join(path)
        elif variable in variables:
            place = ".".join([variable, *path[1:]])
        else:
            place = _place(kind, path, file)
        message = fault["msg"]
        if fault["type"] == "extra_forbidden":
            message = no_such_setting(path[-1], kind.model_fields if len(path) == 1 else ())
        yield f"{place}: {message.removeprefix('Value error, ')}"


def _place(kind: type[ServiceSettings], path: list[str], file: Path) -> str:
    variable = _variable(kind, path[0]) if path else "the environment"
    return f"{'.'.join([kind.service, *path])} ({file}, or {variable})"


def no_such_setting(name: str, names: Iterable[str]) -> str:
    """Message that a name is no setting, with the one that may be meant.

    Args:
        name: The name.
        names: Those that there are in its place.

    Example:
        >>> no_such_setting("max_rsik", ["max_risk", "port"])
        'there is no such setting (is max_risk meant?)'
    """
    near = difflib.get_close_matches(name, list(names), n=1)
    return "there is no such setting" + (f" (is {near[0]} meant?)" if near else "")


def _variable(kind: type[ServiceSettings], field: str) -> str:
    return f"TRUSTVQA_{kind.service.upper()}_{field.upper()}"


def _fail(lines: Iterable[str]) -> NoReturn:
    raise SettingsFaultError("\n  ".join(lines)) from None
