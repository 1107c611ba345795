"""Checks that programs know what compose files tell them: their variables, options, files and checks.

Of programs that are not ours, what is in use here stands in the tables below: anything else is taken for a mistake.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
import yaml

from prompt4trust.prompts import load_template
from tests.deploy.compose import Service, Stack
from tests.k8s.settings import VLLM_FLAGS
from trustvqa.cli.operate.keys import app as keys_command

_SWITCH, _NUMBER, _PATH = r"[01]", r"[1-9]\d*", r"/.+"
# Variables of other programs -> what they may be.
VARIABLES = {
    "OMP_NUM_THREADS": _NUMBER,
    "HOME": "/tmp",  # noqa: S108
    "USER": "trustvqa",
    "HF_HOME": _PATH,
    "HF_HUB_OFFLINE": _SWITCH,
    "HF_HUB_DISABLE_TELEMETRY": _SWITCH,
    "HF_TOKEN_PATH": _PATH,
    "VLLM_NO_USAGE_STATS": _SWITCH,
    "VLLM_MEDIA_URL_ALLOW_REDIRECTS": _SWITCH,
    "VLLM_CACHE_ROOT": _PATH,
    "DO_NOT_TRACK": _SWITCH,
    "TORCHINDUCTOR_CACHE_DIR": _PATH,
    "TRITON_CACHE_DIR": _PATH,
    "POSTGRES_USER": "trustvqa",
    "POSTGRES_DB": "trustvqa",
    "POSTGRES_PASSWORD_FILE": _PATH,
    "GF_AUTH_ANONYMOUS_ENABLED": "true",
    "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer|Editor",
    "GF_AUTH_DISABLE_LOGIN_FORM": "true",
    "GF_AUTH_BASIC_ENABLED": "false",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": _PATH,
}
# Images that are not ours -> user, the port that is published, and the folders that they look into by themselves.
IMAGES: dict[str, tuple[str, str | None, frozenset[str]]] = {
    "postgres": ("70:70", None, frozenset({"/var/lib/postgresql/data"})),
    "redis": ("999:1000", None, frozenset({"/data"})),
    "prom/prometheus": (
        "65534:65534",
        "9090",
        frozenset({"/run/keys"}),
    ),  # the last by deploy/prometheus/prometheus.yml
    "grafana/grafana": ("472:0", "3000", frozenset({"/var/lib/grafana", "/etc/grafana/provisioning"})),
    "vllm/vllm-openai": ("10001:10001", None, frozenset()),
}
_CHECKS = {
    "postgres": "pg_isready --username trustvqa --dbname trustvqa",
    "redis": "redis-cli ping",
    "prom/prometheus": "promtool check healthy",
    "grafana/grafana": "wget -q -O /dev/null http://127.0.0.1:3000/api/health",
}
_PROMETHEUS_FLAGS = {"--config.file", "--storage.tsdb.path", "--storage.tsdb.retention.time"}
_REDIS_FLAGS = {
    "--protected-mode": "no",
    "--save": "",
    "--appendonly": "no",
    "--maxmemory": r"\d+mb",
    "--maxmemory-policy": "allkeys-lru",
}
_ASKS = re.compile(
    r"from urllib\.request import urlopen; urlopen\('http://127\.0\.0\.1:(\d+)(/health(?:/ready)?)', timeout=4\)"
)
_OURS = re.compile(r"trustvqa/([a-z]+)(?:-gpu)?")
# Where things are put that no variable and no option names: by the configuration of the images, by torch.
_BY_THEMSELVES = ("/run/keys", "/run/secrets", "/var/lib/trustvqa", "/deploy")
_NAMES = re.compile(r"(?<![\w.])/(?:var|run|etc|prometheus|deploy)[\w./-]*")


def word_faults(name: str, stack: Stack, root: Path) -> Iterator[str]:
    """Words that a service's program would not understand, or files that it would not find.

    Args:
        name: The service.
        stack: The stack that it belongs to.
        root: Directory that paths are relative to.
    """
    service = stack.services[name]
    image = service.image.partition(":")[0]
    ours = _OURS.fullmatch(image)
    if ours is None and image not in IMAGES:
        yield f"nobody knows the image {image}"
        return
    if ours is not None and (service.build.target if service.build else "gateway") != ours[1]:
        yield f"what is built for it is not {image}"
    yield from _variable_faults(service)
    yield from _agreement_faults(name, stack, root)
    yield from _file_faults(service, image, root)
    yield from _check_faults(service, image)
    if image == "redis":
        yield from _redis_faults(service)
    if ours is not None:
        yield from _command_faults(service, root)
    else:
        yield from _foreign_faults(service, image)
    if image == "vllm/vllm-openai":
        yield from _vllm_faults(name, service, stack)


def _variable_faults(service: Service) -> Iterator[str]:
    for variable, value in service.environment.items():
        if variable.startswith("TRUSTVQA_"):
            continue
        if variable not in VARIABLES:
            yield f"no program knows the variable {variable}"
        elif not re.fullmatch(VARIABLES[variable], value):
            yield f"{variable} cannot be {value}"


def _agreement_faults(name: str, stack: Stack, root: Path) -> Iterator[str]:
    """Mistakes in what one service is told of another, or of the project."""
    told, asking = stack.services[name].environment, stack.services["gateway"].environment
    model = asking.get("TRUSTVQA_GATEWAY_DOWNSTREAM_MODEL")
    if told.get("TRUSTVQA_TRAINER_DOWNSTREAM_MODEL", model) != model:
        yield "trains for a model that the gateway does not ask"
    for variable, value in told.items():
        if variable.endswith("_ANSWER_TEMPLATE"):
            try:
                load_template(value)
            except (FileNotFoundError, ValueError):
                yield f"there is no template {value}"
        if variable.endswith("_DEFAULT_CONFIG") and not (root / "configs" / f"{value}.yaml").is_file():
            yield f"there is no configuration {value}"
    if name == "models":
        command = stack.services[name].command
        version = stack.services["policy"].environment.get("TRUSTVQA_POLICY_VERSION")
        if (command[0], command[2]) != (model, version):
            yield f"fetches {command[0]} and {command[2]}, which nobody asks for"
    if name == "keys":
        given = _options(stack.services[name].command)
        if given.get("--first-key") != told.get("TRUSTVQA_FIRST_KEY"):
            yield "shows another first key than it makes"
        shown = _scraping_key(root / "deploy/prometheus/prometheus.yml")
        if Path(given.get("--metrics-key", "")).name != Path(shown).name:
            yield f"makes {given.get('--metrics-key')}, and Prometheus reads {shown}"


@cache
def _scraping_key(file: Path) -> str:
    """The file of the key by which Prometheus asks."""
    scraping = yaml.safe_load(file.read_text())["scrape_configs"][0]
    return str(scraping["authorization"]["credentials_file"])


@cache
def _key_commands() -> Mapping[str, Any]:
    return getattr(typer.main.get_command(keys_command), "commands", {})


def _redis_faults(service: Service) -> Iterator[str]:
    program, *words = service.command
    given = dict(zip(words[::2], words[1::2], strict=True))
    if program != "redis-server" or given.keys() != _REDIS_FLAGS.keys():
        yield "is not started as a cache"
    for flag, value in given.items():
        if flag in _REDIS_FLAGS and not re.fullmatch(_REDIS_FLAGS[flag], value):
            yield f"{flag} cannot be {value}"


def _options(words: list[str]) -> dict[str, str]:
    """Options by name; one without a value has an empty one."""
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _told(service: Service) -> str:
    words = [*service.environment.values(), *(service.entrypoint or ()), *service.command]
    return "\n".join([*words, *service.tmpfs, *((service.healthcheck and service.healthcheck.test) or ())])


def _file_faults(service: Service, image: str, root: Path) -> Iterator[str]:
    """Paths that it is told must be mounted, and be there; mounts must be looked into."""
    targets = {target.rstrip("/") for target in service.mounts()} | {each.partition(":")[0] for each in service.tmpfs}
    named = set(_NAMES.findall(_told(service)))
    for path in sorted(named):
        inside = [target for target in targets if Path(path).is_relative_to(target)]
        if not inside:
            yield f"{path} is mounted by nobody"
        for target in inside:
            source = service.mounts().get(target, ("", False))[0]
            # Secrets are put there by whoever has them.
            if (
                source.startswith("./")
                and "/secrets/" not in source
                and not (root / source / Path(path).relative_to(target)).exists()
            ):
                yield f"{path} is no file of {source}"
    by_itself = IMAGES[image][2] if image in IMAGES else frozenset()
    for target in service.mounts():
        looked = any(Path(path).is_relative_to(target) for path in named)
        if image in IMAGES and not looked and target not in by_itself:
            yield f"nothing looks into {target}"
        if image not in IMAGES and not any(Path(target).is_relative_to(each) for each in _BY_THEMSELVES):
            yield f"nothing looks into {target}"


def _check_faults(service: Service, image: str) -> Iterator[str]:
    check = service.healthcheck
    if check is None or check.disable:
        return
    kind, *words = check.test or [""]
    if kind != "CMD":
        yield f"the health check is a {kind}, not a CMD"
    if image in _CHECKS:
        if words != shlex.split(_CHECKS[image]):
            yield f"the health check is {' '.join(words)}"
        return
    program, *options, text = words or ["", ""]
    if program not in ("python", "python3") or options not in (["-S", "-c"], ["-c"]) or not _ASKS.fullmatch(text):
        yield f"the health check is {' '.join(words)}"


def _command_faults(service: Service, root: Path) -> Iterator[str]:
    entry = service.entrypoint
    if entry is None:
        if service.command:
            yield f"the service takes no {service.command[0]}"
        return
    if entry[0] != "python":
        yield f"there is no program {entry[0]}"
    elif entry[1] == "-m":
        if len(entry) != 3 or find_spec(entry[2]) is None:
            yield f"there is no module {entry[-1]}"
        elif entry[2] == "trustvqa.cli.operate.keys":
            chosen = _key_commands().get(service.command[0])
            known = {flag for each in chosen.params for flag in each.opts} if chosen else set()
            yield from (
                f"it knows no {word}"
                for word in service.command
                if word.partition("=")[0] not in known | {chosen and chosen.name}
            )
    elif not re.fullmatch(r"/deploy/\w+\.py", entry[1]) or not (root / entry[1].lstrip("/")).is_file():
        yield f"there is no file {entry[1]}"


def _foreign_faults(service: Service, image: str) -> Iterator[str]:
    user, published, _ = IMAGES[image]
    if service.user != user:
        yield f"runs as {service.user}, and its files are {user}'s"
    for port in service.ports:
        if not re.fullmatch(rf"127\.0\.0\.1:\d+:{published}", port):
            yield f"port {port} leads nowhere"
    if image == "prom/prometheus":
        flags = {word.partition("=")[0] for word in service.command}
        yield from (f"Prometheus knows no {flag}" for flag in sorted(flags - _PROMETHEUS_FLAGS))
        kept = [word for word in service.command if word.startswith("--storage.tsdb.retention.time=")]
        if not all(re.fullmatch(r"\d+[dwy]", word.partition("=")[2]) for word in kept):
            yield "what Prometheus keeps is no time"


def _vllm_faults(name: str, service: Service, stack: Stack) -> Iterator[str]:
    if service.entrypoint != ["vllm", "serve"]:
        yield f"vLLM is started by {service.entrypoint}"
    model, *arguments = service.command
    given = _options(arguments)
    yield from (f"vLLM knows no {flag}" for flag in sorted(given.keys() - VLLM_FLAGS))
    if set(json.loads(given.get("--limit-mm-per-prompt", "{}"))) - {"image", "video"}:
        yield "limits something else than pictures and videos"
    for flag in ("--shutdown-timeout", "--max-model-len", "--max-num-seqs", "--max-num-batched-tokens"):
        if flag in given and not given[flag].isdecimal():
            yield f"{flag} is {given[flag]}, which is no number"
    if not given.get("--port", "").isdecimal():
        yield f"listens on {given.get('--port')}, which is no port"
    if not re.fullmatch(r"0\.\d+", given.get("--gpu-memory-utilization", "0.9")):
        yield "its share of memory is none"
    if (given.get("--host"), given.get("--generation-config")) != ("0.0.0.0", "vllm"):  # noqa: S104
        yield "listens where nobody reaches it, or samples by the model's own defaults"
    served = given.get("--served-model-name", "")
    if model.rpartition("/policies/")[2] != served:
        yield f"serves {model} under another's name, {served}"
    service_asking, variable = {
        "downstream": ("gateway", "TRUSTVQA_GATEWAY_DOWNSTREAM_MODEL"),
        "policy-engine": ("policy", "TRUSTVQA_POLICY_VERSION"),
    }.get(name, ("", ""))
    if service_asking and stack.services[service_asking].environment.get(variable) != served:
        yield f"serves {served}, which nobody asks for"
