"""Checks that the services know the settings of the manifests, by reading these as the services do."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from unittest.mock import patch
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError

from services.common.settings import CONFIG_VARIABLE, SECRETS_VARIABLE, ServiceSettings
from services.downstream.settings import DownstreamSettings
from services.downstream.vllm import vllm_argv
from services.gateway.settings import GatewaySettings
from services.policy.settings import PolicySettings
from services.trainer.executors.base import Launch
from services.trainer.executors.kubernetes_job import build_job
from services.trainer.grpo.config.training_config import TrainingConfig
from services.trainer.settings import TrainerSettings
from tests.k8s.documents import Cluster, Document, Pods
from trustvqa.cli.main import COMMANDS

SETTINGS: dict[str, type[ServiceSettings]] = {
    each.service: each for each in (GatewaySettings, PolicySettings, DownstreamSettings, TrainerSettings)
}
_IMAGE = re.compile(r"trustvqa/([a-z]+):.*")
_VLLM_IMAGE = re.compile(r"vllm/vllm-openai:.*")
# What `trustvqa keys` writes; no setting of its own.
_KEYS = "/keys.json"
_SECTIONS = {"common", "training", *SETTINGS}
# What other programs read; a variable that is not listed is taken for a misspelling.
_OTHERS = {
    *("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PYTHONUNBUFFERED"),
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"),
    *("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_TOKEN"),
    *("VLLM_NO_USAGE_STATS", "VLLM_CACHE_ROOT", "VLLM_MEDIA_URL_ALLOW_REDIRECTS", "DO_NOT_TRACK"),
    *("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"),
}
# `vllm serve --help` has hundreds; these are in use here or in what services/downstream/vllm.py starts.
VLLM_FLAGS = {
    *("--served-model-name", "--host", "--port", "--dtype", "--max-num-seqs", "--max-model-len"),
    *("--limit-mm-per-prompt", "--generation-config", "--allowed-media-domains", "--gpu-memory-utilization"),
    *("--shutdown-timeout", "--enable-prefix-caching", "--enable-chunked-prefill", "--max-num-batched-tokens"),
}


@dataclass
class Told:
    """A container of ours and what it is told.

    Attributes:
        pods: Its pods.
        container: Its specification.
        service: The service whose image it has.
        faults: What the service does not understand.
        settings: What it makes of the rest; None where it would not start, or is no service of its own.
    """

    pods: Pods
    container: Document
    service: str
    faults: list[str] = field(default_factory=list)
    settings: ServiceSettings | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables with a value."""
        return {each["name"]: each["value"] for each in self.container.get("env", ()) if "value" in each}


def listen(cluster: Cluster) -> list[Told]:
    """Have every container of ours read its settings."""
    return [
        _listen(cluster, pods, container, found[1])
        for document in cluster.documents
        for pods in Cluster([document]).pods
        for container in pods.containers
        if (found := _IMAGE.fullmatch(container["image"]))
    ]


def with_runs(cluster: Cluster) -> Cluster:
    """Add the Jobs that the trainer would make of a run, as its executor writes them."""
    runs = []
    for told in listen(cluster):
        settings = told.settings
        if isinstance(settings, TrainerSettings) and settings.kubernetes is not None:
            folder = settings.runs / "run-1"
            run = Launch("run-1", folder, ("-m", "services.trainer.grpo", str(folder)), {"OMP_NUM_THREADS": "1"})
            runs.append(build_job(run, settings.kubernetes))
    return Cluster(cluster.documents, runs)


def settings_faults(cluster: Cluster) -> list[str]:
    """Settings that a service would not understand, and addresses at which it could reach nobody."""
    faults = []
    for told in listen(cluster):
        found = [*told.faults, *_command_faults(told)]
        if told.settings is not None:
            found += [*_address_faults(cluster, told.settings), *_place_faults(told)]
        faults += [f"{told.pods.owner}: {fault}" for fault in found]
    for pods in cluster.pods:
        for container in pods.containers:
            faults += [f"{pods.owner}: {fault}" for fault in _variable_faults(container)]
            if _VLLM_IMAGE.fullmatch(container["image"]) and container["command"] == ["vllm", "serve"]:
                faults += [f"{pods.owner}: {fault}" for fault in _vllm_faults(container)]
    return faults


def mounted_files(cluster: Cluster, pods: Pods, container: Document) -> dict[str, str]:
    """Path -> content of what ConfigMaps put into a container."""
    volumes = {volume["name"]: volume for volume in pods.spec.get("volumes", ())}
    files: dict[str, str] = {}
    for mount in container.get("volumeMounts", ()):
        name = volumes.get(mount["name"], {}).get("configMap", {}).get("name")
        held = cluster.find("ConfigMap", name) if name else None
        for key, text in (held or {}).get("data", {}).items():
            if "subPath" not in mount:
                files[f"{mount['mountPath']}/{key}"] = text
            elif mount["subPath"] == key:
                files[mount["mountPath"]] = text
    return files


def _listen(cluster: Cluster, pods: Pods, container: Document, service: str) -> Told:
    told = Told(pods, container, service)
    if service not in SETTINGS:
        told.faults.append(f"image of an unknown service {service}")
        return told
    kind, prefix = SETTINGS[service], f"TRUSTVQA_{service.upper()}_"
    known = {CONFIG_VARIABLE, SECRETS_VARIABLE} | {f"{prefix}{name.upper()}" for name in kind.model_fields}
    every = _secret_files(pods, container)
    secrets = [path for path in every if not path.endswith(_KEYS)]
    for name in (*told.environment, *(PurePosixPath(path).name for path in secrets)):
        if name.startswith("TRUSTVQA_") and name not in known:
            told.faults.append(f"{service} knows no setting {name}")
    environment = dict(told.environment)
    config = environment.get(CONFIG_VARIABLE)
    text = None if config is None else mounted_files(cluster, pods, container).get(config)
    if config is not None and text is None:
        told.faults.append(f"{CONFIG_VARIABLE} names {config}, which no ConfigMap puts there")
        return told
    told.faults += _file_faults(text or "")
    if pods.kind != "Deployment":
        return told
    directory = environment.get(SECRETS_VARIABLE)
    if directory is None and secrets:
        told.faults.append(f"has secrets and no {SECRETS_VARIABLE}")
    if directory is not None and not any(str(PurePosixPath(path).parent) == directory for path in secrets):
        told.faults.append(f"{SECRETS_VARIABLE} names {directory}, where no Secret puts anything")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "secrets").mkdir()
        for path in secrets:
            name = PurePosixPath(path).name
            (folder / "secrets" / name).write_text(_stand_in(name))
        (folder / "config.yaml").write_text(text or "")
        environment |= {CONFIG_VARIABLE: str(folder / "config.yaml"), SECRETS_VARIABLE: str(folder / "secrets")}
        with patch.dict(os.environ, environment, clear=True):
            try:
                told.settings = kind()
            except KeyError as error:
                told.faults.append(f"would not start: {error}")
            except ValidationError as error:
                for each in error.errors():
                    told.faults.append(f"{'.'.join(map(str, each['loc']))}: {each['msg']}")
    if told.settings is not None:
        told.faults += _key_faults(told.settings, every, container)
    return told


def _key_faults(settings: ServiceSettings, files: list[str], container: Document) -> Iterator[str]:
    if settings.api_keys is None:
        yield "asks for no API keys"
    elif str(settings.api_keys) not in files:
        yield f"its keys are {settings.api_keys}, where no Secret puts anything"
    place = str(PurePosixPath(str(settings.api_keys)).parent)
    if any(mount["mountPath"] == place and "subPath" in mount for mount in container.get("volumeMounts", ())):
        yield "its keys are mounted as a file, which would never change"


def _stand_in(name: str) -> str:
    """A value that a secret could have."""
    if name.endswith("_CACHE_URL"):
        return "redis://:p@cache.example:6379/0"
    return "postgresql://u:p@db.example/name" if name.endswith("_URL") else "a-token-of-many-letters-0123456789"


def _secret_files(pods: Pods, container: Document) -> list[str]:
    volumes = {volume["name"]: volume.get("secret") for volume in pods.spec.get("volumes", ())}
    return [
        f"{mount['mountPath']}/{item['path']}"
        for mount in container.get("volumeMounts", ())
        for item in (volumes.get(mount["name"]) or {}).get("items", ())
    ]


def _file_faults(text: str) -> Iterator[str]:
    document = yaml.safe_load(text) or {}
    yield from (f"unknown section {name} of the settings" for name in sorted(document.keys() - _SECTIONS))
    for service, section in document.items():
        if service in SETTINGS:
            for name in section.keys() - SETTINGS[service].model_fields.keys():
                yield f"{service} knows no setting {name}"
    if "training" in document:
        try:
            TrainingConfig.model_validate(document["training"])
        except ValidationError as error:
            yield from (f"training.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())


def _variable_faults(container: Document) -> Iterator[str]:
    for variable in container.get("env", ()):
        if variable["name"] not in _OTHERS and not variable["name"].startswith("TRUSTVQA_"):
            yield f"nothing reads the variable {variable['name']}"


def _address_faults(cluster: Cluster, settings: ServiceSettings) -> Iterator[str]:
    """Addresses of other services must be those of Services."""
    named = [(name, getattr(settings, name, None)) for name in ("policy_url", "downstream_url")]
    named += [("upstream_url", url) for url in getattr(settings, "upstream_urls", ())]
    for name, address in named:
        if address is None:
            continue
        parts = urlsplit(address)
        service = cluster.find("Service", parts.hostname or "")
        if service is None:
            yield f"{name}: there is no Service {parts.hostname}"
        elif parts.port not in {port["port"] for port in service["spec"]["ports"]}:
            yield f"{name}: the Service {parts.hostname} has no port {parts.port}"
        if (parts.path == "/v1") is not (name != "policy_url"):
            yield f"{name}: the path is {parts.path!r}"


def _place_faults(told: Told) -> Iterator[str]:
    """Directories that services write must lie on volumes, and be where runs see them, too."""
    settings, container = told.settings, told.container
    mounts = {mount["mountPath"]: mount for mount in container.get("volumeMounts", ())}
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in told.pods.spec.get("volumes", ())
        if "persistentVolumeClaim" in volume
    }
    # The downstream service has nothing to do with the registry.
    places = [] if told.service == "downstream" else ["registry"]
    places += ["runs", "data"] if isinstance(settings, TrainerSettings) else []
    for name in places:
        mount = mounts.get(str(getattr(settings, name)))
        if mount is None or mount["name"] not in claims or mount.get("readOnly"):
            yield f"{name} is {getattr(settings, name)}, which is no volume to write to"
    if settings is not None and settings.is_loopback:
        yield f"listens on {settings.host}, where nobody finds it"
    if settings is not None and settings.port not in told.pods.ports.values():
        yield f"listens on {settings.port}, which is none of its ports"
    if isinstance(settings, GatewaySettings):
        url = settings.records_url.get_secret_value()
        if url.startswith("sqlite:///") and str(PurePosixPath(url.removeprefix("sqlite:///")).parent) not in mounts:
            yield f"records_url is {url}, which is on no volume"
    if isinstance(settings, TrainerSettings) and settings.kubernetes is not None:
        jobs = settings.kubernetes
        for each in (jobs.runs, *jobs.mounts):
            mount = mounts.get(each.target, {"name": ""})
            if claims.get(mount["name"]) != each.claim or mount.get("subPath", "") != each.sub_path:
                yield f"runs see {each.claim} at {each.target}, and the service does not"
        default = f"{settings.configs}/{settings.default_config}.yaml"
        if default != told.environment.get(CONFIG_VARIABLE):
            yield f"runs are configured by {default}, which is not mounted"
        if jobs.image != container["image"]:
            yield f"runs have the image {jobs.image}, the service has {container['image']}"


@cache
def _options(command: str) -> frozenset[str]:
    params = COMMANDS[command].load(command).params
    return frozenset(flag for each in params for flag in (*each.opts, *each.secondary_opts))


def _command_faults(told: Told) -> Iterator[str]:
    """Commands of ours must be there, and know their options."""
    words = [*told.container.get("command", ()), *told.container.get("args", ())]
    if words[:1] == ["trustvqa"]:
        flags = {word.partition("=")[0] for word in words[2:] if word.startswith("-")}
        yield from (f"trustvqa {words[1]} knows no {flag}" for flag in sorted(flags - _options(words[1])))
    for before, word in itertools.pairwise(words):
        if before == "-m" and find_spec(word) is None:
            yield f"there is no module {word}"


def _vllm_faults(container: Document) -> Iterator[str]:
    model, *arguments = container["args"]
    flags = {argument.partition("=")[0] for argument in arguments}
    yield from (f"vLLM knows no {flag}" for flag in sorted(flags - VLLM_FLAGS))
    if not model.startswith("/var/lib/trustvqa/"):
        yield f"{model} would have to be fetched"
    ours = {word for word in vllm_argv(DownstreamSettings(engine="vllm")) if word.startswith("--")}
    pictures = {"--limit-mm-per-prompt", "--allowed-media-domains"}
    wanted = ours if pictures & flags else ours - pictures
    yield from (f"leaves out {flag}, which the downstream service would give" for flag in sorted(wanted - flags))
