"""Mistakes in a stack of containers, as far as they can be seen without starting it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from services.common.http.health import health_router
from services.common.metrics_registry import MetricsRegistry
from services.common.settings import ServiceSettings
from services.downstream.settings import DownstreamSettings
from services.gateway.settings import GatewaySettings
from services.listener.settings import ListenerSettings
from services.policy.settings import PolicySettings
from services.trainer.settings import TrainerSettings
from tests.deploy.compose import Service, Stack
from tests.deploy.compose_words import word_faults

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy" / "containers.yaml"
SETTINGS: dict[str, type[ServiceSettings]] = {
    each.service: each for each in (GatewaySettings, PolicySettings, DownstreamSettings, TrainerSettings)
}
# The listener's too, which stands beside the stack where there is an archive.
ALL_SETTINGS: dict[str, type[ServiceSettings]] = {**SETTINGS, "listener": ListenerSettings}
SECRETS = "/run/secrets/trustvqa"
# Read by whoever reads settings and by commands, not settings of a service.
_GENERAL = {"TRUSTVQA_CONFIG", "TRUSTVQA_SECRETS", "TRUSTVQA_KEYS_FILE", "TRUSTVQA_FIRST_KEY", "TRUSTVQA_KEYS_HOW"}
_URL = re.compile(r"http://127\.0\.0\.1:(?P<port>\d+)(?P<path>/[\w/]*)")


async def _nothing() -> dict[str, Any]:
    return {}


@cache
def health_paths() -> set[str]:
    """Paths that every service answers for probes."""
    router = health_router("any", _nothing, _nothing, MetricsRegistry())
    return {getattr(route, "path", "") for route in router.routes}


@cache
def stages(dockerfile: Path = ROOT / "Dockerfile") -> dict[str, dict[str, list[str]]]:
    """The stages of a Dockerfile: name -> instruction -> its arguments, those of the stages below it first."""
    found: dict[str, dict[str, list[str]]] = {}
    stage: dict[str, list[str]] = {}
    text = re.sub(r"\\\n\s*(?:#[^\n]*\n\s*)*", " ", dockerfile.read_text(encoding="utf-8"))
    for line in text.splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            image, _, name = rest.partition(" AS ")
            stage = {key: list(values) for key, values in found.get(image, {}).items()}
            found[name] = stage
        elif instruction and not instruction.startswith("#"):
            stage.setdefault(instruction, []).append(rest)
    return found


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like a setting of a service and are none."""
    return [name for name in environment if name.startswith("TRUSTVQA_") and name not in _known_settings()]


@cache
def _known_settings() -> frozenset[str]:
    """Variables of all settings; they are asked for once a slip in a thousand."""
    settings = {
        f"TRUSTVQA_{name.upper()}_{field.upper()}"
        for name, settings in ALL_SETTINGS.items()
        for field in settings.model_fields
    }
    return frozenset(settings | _GENERAL)


def settings_of(name: str, environment: Mapping[str, str]) -> ServiceSettings:
    """Load a service's settings as in its container: the images' configuration, and these variables over it."""
    prefix = f"TRUSTVQA_{name.upper()}_"
    return _settings_with(name, tuple(sorted(each for each in environment.items() if each[0].startswith(prefix))))


@cache
def _settings_with(name: str, variables: tuple[tuple[str, str], ...]) -> ServiceSettings:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TRUSTVQA_SECRETS", raising=False)
        patch.setenv("TRUSTVQA_CONFIG", str(CONFIG))
        for variable, value in variables:
            patch.setenv(variable, value)
        return ALL_SETTINGS[name]()


def faults(raw: Mapping[str, Any], root: Path = ROOT) -> list[str]:
    """List what is wrong with a stack.

    Args:
        raw: Its compose files' contents, from `read`.
        root: Directory that paths are relative to.
    """
    try:
        stack = Stack.model_validate(raw)
    except ValidationError as error:
        return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    found = [f"there is no service {name}" for name in SETTINGS if name not in stack.services]
    if found:
        return found
    found = [*_dangling(stack), *_published(stack)]
    for name, service in stack.services.items():
        checks = (
            _hardening(name, service),
            _images(name, service),
            _places(service, root),
            _settings(name, stack),
            word_faults(name, stack, root),
        )
        found += [f"{name}: {fault}" for check in checks for fault in check]
    return found


def _dangling(stack: Stack) -> Iterator[str]:
    networks = {each for service in stack.services.values() for each in service.networks}
    sources = {source for service in stack.services.values() for source, _ in service.mounts().values()}
    volumes = {each for each in sources if not each.startswith((".", "/"))}
    for kind, used, defined in (("network", networks, stack.networks), ("volume", volumes, stack.volumes)):
        yield from (f"{kind} {each} is not defined" for each in used - defined.keys())
        yield from (f"{kind} {each} is used by nobody" for each in defined.keys() - used)
    for name, service in stack.services.items():
        for other, how in service.depends_on.items():
            if other not in stack.services:
                yield f"{name} depends on {other}, which there is not"
            elif how.condition == "service_healthy" and stack.services[other].healthcheck is None:
                yield f"{name} waits for the health of {other}, which has no check"
            elif how.required and set(stack.services[other].profiles) - set(service.profiles):
                yield f"{name} depends on {other}, which only a profile starts"


def _published(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        for port in service.ports:
            if not port.startswith("127.0.0.1:"):
                yield f"{name} is published beyond this machine"
            if name != "gateway" and not service.profiles:
                yield f"{name} is published"
        ways_out = [each for each in service.networks if each in stack.networks and not stack.networks[each].internal]
        if name in ("policy", "downstream", "trainer", "policy-engine", "postgres", "redis") and ways_out:
            yield f"{name} has a way out: {', '.join(ways_out)}"


def _hardening(name: str, service: Service) -> Iterator[str]:
    if not service.user or service.user.partition(":")[0] in ("0", "root"):
        yield "runs as root"
    if name in SETTINGS and service.user != "10001:10001":
        yield "does not run as the user whom the volumes belong to"
    wanted = {
        "init": service.init,
        "read_only": service.read_only,
        "cap_drop: ALL": service.cap_drop == ["ALL"],
        "no-new-privileges": "no-new-privileges:true" in service.security_opt,
        "mem_limit": bool(service.mem_limit),
        "pids_limit": bool(service.pids_limit),
        "restart": service.restart in ("unless-stopped", "on-failure:3"),
        "a tmpfs at /tmp": sum(each.startswith("/tmp:size=") for each in service.tmpfs) == 1,  # noqa: S108
        "a health check": service.healthcheck is not None,
    }
    yield from (f"lacks {what}" for what, there in wanted.items() if not there)


def _images(name: str, service: Service) -> Iterator[str]:
    if service.build is None:
        if not re.fullmatch(r"[\w./-]+:[\w.-]+", service.image) or service.image.endswith(":latest"):
            yield f"image {service.image} has no version"
        return
    stage = stages().get(service.build.target)
    if stage is None:
        yield f"the Dockerfile has no target {service.build.target}"
        return
    # Arguments of the stages that a target copies from count as well.
    known = {each.partition("=")[0] for one in stages().values() for each in one.get("ARG", [])}
    yield from (f"the Dockerfile has no argument {each}" for each in service.build.args.keys() - known)
    if name in SETTINGS and stage["ENTRYPOINT"][-1] != f'["python", "-m", "services.{name}"]':
        yield f"target {service.build.target} starts another service"


def _places(service: Service, root: Path) -> Iterator[str]:
    for source, _ in service.mounts().values():
        if source.startswith(".") and not (root / source).is_dir():
            yield f"{source} is no directory"


def _settings(name: str, stack: Stack) -> Iterator[str]:
    service = stack.services[name]
    yield from (f"{each} is no setting" for each in unknown_settings(service.environment))
    ours = name in SETTINGS and service.build is not None
    if not ours:
        return
    for variable in service.environment:
        if variable not in _GENERAL and variable.startswith("TRUSTVQA_") and f"_{name.upper()}_" not in variable:
            yield f"{variable} is another service's"
    secrets = service.environment.get("TRUSTVQA_SECRETS", "").split(":")
    if not set(secrets) <= service.mounts().keys():
        yield "TRUSTVQA_SECRETS names no mount"
    try:
        settings = settings_of(name, service.environment)
    except ValidationError as error:
        yield f"its settings are refused: {error.errors()[0]['loc']} {error.errors()[0]['msg']}"
        return
    if settings.host != "0.0.0.0":  # noqa: S104
        yield f"listens on {settings.host}, where no other container reaches it"
    yield from (f"port {each} leads nowhere" for each in service.ports if not each.endswith(f":{settings.port}"))
    probed = _URL.search(((service.healthcheck and service.healthcheck.test) or [""])[-1])
    if probed is None or int(probed["port"]) != settings.port or probed["path"] not in health_paths():
        yield f"the health check asks {probed and probed[0]}, where nothing answers"
    yield from _written(settings, service)
    yield from _asked(name, settings, stack)
    yield from _keyed(name, settings, stack)


def _written(settings: ServiceSettings, service: Service) -> Iterator[str]:
    writable = [target for target, (_, may) in service.mounts().items() if may]
    paths = {} if settings.service == "downstream" else {"registry": settings.registry}
    for field in ("runs", "data"):
        if hasattr(settings, field):
            paths[field] = getattr(settings, field)
    if isinstance(settings, GatewaySettings) and settings.records_url.get_secret_value().startswith("sqlite:///"):
        paths["records_url"] = Path(settings.records_url.get_secret_value().removeprefix("sqlite:///"))
    for field, path in paths.items():
        if not any(path.is_relative_to(target) for target in writable):
            yield f"{field} is {path}, which lies on no volume"
    made = " ".join(stages()["base"]["RUN"]).split()
    yield from (f"no image gives {target} to the user" for target in writable if target not in made)


def _keyed(name: str, settings: ServiceSettings, stack: Stack) -> Iterator[str]:
    """The keys that a service asks for are those that the stack makes, before it starts, and are not its to change."""
    if settings.api_keys is None:
        yield "would not start: it has no keys" if name in ("gateway", "trainer") else "asks for no keys"
        return
    service, makers = stack.services[name], stack.services.get("keys")
    made = Path(makers.environment.get("TRUSTVQA_KEYS_FILE", "")) if makers else Path()
    source, may = service.mounts().get(str(settings.api_keys.parent), ("", False))
    if makers is None or makers.mounts().get(str(made.parent)) != (source, True) or settings.api_keys.name != made.name:
        yield f"its keys are {settings.api_keys}, which nobody makes"
    if may:
        yield "may change the keys"
    waits = service.depends_on.get("keys")
    if waits is None or waits.condition != "service_completed_successfully":
        yield "does not wait until there are keys"


def _asked(name: str, settings: ServiceSettings, stack: Stack) -> Iterator[str]:
    named = [(field, getattr(settings, field, None)) for field in ("policy_url", "downstream_url")]
    named += [("upstream_url", url) for url in getattr(settings, "upstream_urls", ())]
    for field, url in named:
        address = urlsplit(url or "")
        if not address.hostname:
            continue
        other = stack.services.get(address.hostname)
        if other is None:
            yield f"{field} names {address.hostname}, which there is not"
        elif not set(other.networks) & set(stack.services[name].networks):
            yield f"{field} names {address.hostname}, which it shares no network with"
        elif address.port != _port(address.hostname, other):
            yield f"{field} names port {address.port} of {address.hostname}, which listens elsewhere"


def _port(name: str, service: Service) -> int:
    if name not in SETTINGS and not any(each.startswith("--port=") for each in service.command):
        return -1
    for argument in service.command:
        if argument.startswith("--port="):
            number = argument.removeprefix("--port=")
            return int(number) if number.isdecimal() else -1
    try:
        return settings_of(name, service.environment).port
    except ValidationError:
        return -1  # said where its own settings are looked at
