"""Checks that probes ask what the services answer, and that pods get the time that draining takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import FastAPI
from starlette.routing import Match

from services.common.auth import KeyFile
from services.common.settings import ServiceSettings
from services.downstream.settings import DownstreamSettings
from services.gateway.settings import GatewaySettings
from services.policy.settings import PolicySettings
from services.trainer.executors.kubernetes_settings import KubernetesSettings
from services.trainer.settings import TrainerSettings
from tests.k8s.documents import Cluster, Document, Pods
from tests.k8s.settings import listen

# vLLM's one route for probes: 200 while its engine lives.
_VLLM = "/health"
# The gateway and the trainer ask their downstream service for this long before they say that they are not ready.
_ASKING_S = 2
_MARGIN_S = 5


@cache
def application(service: str) -> FastAPI:
    """A service's real application; what it needs is opened only when it runs."""
    # Here: these bring torch along.
    from services.downstream.app import downstream_app
    from services.gateway.app import create_gateway
    from services.policy.app import policy_app
    from services.trainer.app import trainer_app

    def gateway() -> FastAPI:
        # With keys, as in a cluster: it has more routes then.
        with TemporaryDirectory() as folder:
            keys = Path(folder) / "keys.json"
            keys.write_text(KeyFile().model_dump_json())
            return create_gateway(GatewaySettings(records_url="", api_keys=keys))

    made: dict[str, Callable[[], FastAPI]] = {
        "gateway": gateway,
        "policy": lambda: policy_app(PolicySettings()),
        "downstream": lambda: downstream_app(DownstreamSettings()),
        "trainer": lambda: trainer_app(TrainerSettings()),
    }
    return made[service]()


def answers(service: str, path: str, method: str = "GET") -> bool:
    """Whether a service has a route."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in application(service).routes)


def probe_faults(cluster: Cluster) -> list[str]:
    """Mistakes in the probes of pods that serve, and in their end."""
    services = {told.pods.owner: told for told in listen(cluster)}
    faults = []
    for document in cluster.of("Deployment"):
        for pods in Cluster([document]).pods:
            told = services.get(pods.owner)
            for container in pods.containers:
                found = [*_probe_faults(container, pods, None if told is None else told.service)]
                if told is None:
                    found += _vllm_end_faults(cluster, container, pods)
                elif told.settings is not None:
                    found += _end_faults(container, pods, told.settings)
                faults += [f"{pods.owner}: {fault}" for fault in found]
    return faults


def _probe_faults(container: Document, pods: Pods, service: str | None) -> Iterator[str]:
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container.get(name)
        if probe is None:
            yield f"has no {name}"
            continue
        path, port = probe["httpGet"]["path"], probe["httpGet"]["port"]
        if port not in pods.ports:
            yield f"{name}: there is no port {port}"
        if service is None:
            if path != _VLLM:
                yield f"{name}: vLLM does not answer {path}"
        elif not answers(service, path):
            yield f"{name}: {service} does not answer {path}"
        elif (path == "/health/ready") is not (name == "readinessProbe"):
            # Restarting a process does not bring back what it waits for, and a route that says that the process is up
            # says nothing of whether it can answer.
            yield f"{name}: {path} says something else"
        if name == "readinessProbe" and service in {"gateway", "trainer"} and probe["timeoutSeconds"] <= _ASKING_S:
            yield f"{name}: gives up after {probe['timeoutSeconds']} s, before the service has asked"
    if "startupProbe" in container and "livenessProbe" in container:
        start, live = (container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe"))
        if start != live:
            yield f"begins when {start} answers and ends when {live} does not"


def _pause(container: Document) -> int:
    return int(container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0))


def _end_faults(container: Document, pods: Pods, settings: ServiceSettings) -> Iterator[str]:
    pause, grace = _pause(container), pods.spec.get("terminationGracePeriodSeconds", 30)
    if pause < _MARGIN_S:
        yield f"preStop waits for {pause} s: SIGTERM comes before others know"
    needed = pause + settings.shutdown_grace_s + _MARGIN_S
    if grace < needed:
        yield f"is killed after {grace} s and needs {needed:g}"
    longest = getattr(settings, "deadline_s", 0.0) + getattr(settings, "upload_deadline_s", 0.0)
    longest += getattr(settings, "body_timeout_s", 0.0)
    if settings.shutdown_grace_s < longest:
        yield f"drains for {settings.shutdown_grace_s:g} s, and a request may take {longest:g}"
    if isinstance(settings, TrainerSettings) and settings.kubernetes is not None:
        yield from _run_end_faults(settings.kubernetes, settings)


def _run_end_faults(jobs: KubernetesSettings, settings: TrainerSettings) -> Iterator[str]:
    if settings.cancel_grace_s != jobs.grace_s:
        yield f"a cancelled run gets {jobs.grace_s} s, and the service waits for {settings.cancel_grace_s:g}"


def _vllm_end_faults(cluster: Cluster, container: Document, pods: Pods) -> Iterator[str]:
    """An engine must have the time to answer what is in flight at SIGTERM, and must be told to take it."""
    pause, grace = _pause(container), pods.spec.get("terminationGracePeriodSeconds", 30)
    given = dict(word.split("=", 1) for word in container.get("args", ()) if "=" in word)
    drains = int(given.get("--shutdown-timeout", 0))
    longest = 0.0
    for told in listen(cluster):
        settings = told.settings
        if isinstance(settings, GatewaySettings):
            longest = max(longest, settings.downstream_deadline_s)
        elif isinstance(settings, PolicySettings):
            longest = max(longest, settings.deadline_s)
    if pause < _MARGIN_S:
        yield f"preStop waits for {pause} s: SIGTERM comes before others know"
    if drains < longest:
        yield f"drains for {drains} s, and a reply may take {longest:g}"
    if grace < pause + drains + _MARGIN_S:
        yield f"is killed after {grace} s and needs {pause + drains + _MARGIN_S}"
