"""Checks of what stands around the pods: Secrets, scaling, ways in, monitoring."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from services.common.http.metrics import HttpMetrics
from services.common.metrics_registry import MetricsRegistry
from tests.k8s.documents import K8S, Cluster, Document, example_secrets, selects

_VLLM_METRICS = {"vllm:num_requests_waiting", "vllm:num_requests_running"}
_ADAPTER = K8S / "components" / "autoscaling-gateway" / "prometheus-adapter-rule.yaml"


def secret_faults(name: str, keys: list[str]) -> Iterator[str]:
    """Secrets, or keys of them, that operators are not told to make."""
    held = example_secrets().get(name)
    if held is None:
        yield f"nobody is told to make the Secret {name}"
        return
    yield from (f"nobody is told of a key {key} in the Secret {name}" for key in keys if key not in held)


def scaling_faults(cluster: Cluster) -> Iterator[str]:
    """Mistakes in what changes the number of pods."""
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for scaler in cluster.of(kind):
            name, target = f"{kind} {scaler['metadata']['name']}", scaler["spec"]["scaleTargetRef"]
            deployment = cluster.find(target.get("kind", "Deployment"), target["name"])
            if deployment is None:
                yield f"{name}: there is no {target.get('kind', 'Deployment')} {target['name']}"
            elif "replicas" in deployment["spec"]:
                yield f"{name}: every apply would set {target['name']} back to {deployment['spec']['replicas']}"
            least, most = (
                next(scaler["spec"][key] for key in keys if key in scaler["spec"])
                for keys in (("minReplicas", "minReplicaCount"), ("maxReplicas", "maxReplicaCount"))
            )
            if not 1 <= least <= most:
                yield f"{name}: from {least} to {most}"
            yield from (f"{name}: {fault}" for fault in _metric_faults(cluster, scaler["spec"]))


@cache
def own_metrics() -> frozenset[str]:
    """Names of the request metrics that every service of ours exposes."""
    registry = MetricsRegistry()
    HttpMetrics(registry)
    return frozenset(family.name for family in registry.collect())


@cache
def _adapted() -> dict[str, str]:
    """Custom metric -> the one that it is made of."""
    rules = yaml.safe_load(_ADAPTER.read_text())["rules"]
    return {rule["name"]["as"]: rule["seriesQuery"].partition("{")[0] for rule in rules}


def _metric_faults(cluster: Cluster, spec: Document) -> Iterator[str]:
    for metric in spec.get("metrics", ()):
        name = metric["pods"]["metric"]["name"]
        if name not in _adapted():
            yield f"no rule makes the metric {name}"
        elif _adapted()[name] not in own_metrics():
            yield f"{name} is made of {_adapted()[name]}, which no service exposes"
    for trigger in spec.get("triggers", ()):
        query = trigger["metadata"]["query"]
        for metric, labels in re.findall(r"([a-z_:]+)\{([^}]*)\}", query):
            given = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if metric not in _VLLM_METRICS:
                yield f"vLLM exposes no {metric}"
            if given.get("namespace") != cluster.namespace:
                yield f"asks for the namespace {given.get('namespace')}"
            if given.get("service") != spec["scaleTargetRef"]["name"]:
                yield f"is made for {spec['scaleTargetRef']['name']} and asks for {given.get('service')}"
        if float(trigger["metadata"]["threshold"]) <= 0:
            yield "its threshold is not above 0"


def entry_faults(cluster: Cluster) -> Iterator[str]:
    """Mistakes in the ways in from outside."""
    for ingress in cluster.of("Ingress"):
        name = f"Ingress {ingress['metadata']['name']}"
        hosts = {rule["host"] for rule in ingress["spec"]["rules"]}
        for tls in ingress["spec"].get("tls", ()):
            yield from (f"{name}: {fault}" for fault in secret_faults(tls["secretName"], ["tls.crt", "tls.key"]))
            hosts -= set(tls["hosts"])
        yield from (f"{name}: {host} is served without TLS" for host in sorted(hosts))
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                yield from (f"{name}: {fault}" for fault in _backend_faults(cluster, backend["name"], backend["port"]))
    for route in cluster.of("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                port = {"number": backend["port"]}
                for fault in _backend_faults(cluster, backend["name"], port):
                    yield f"HTTPRoute {route['metadata']['name']}: {fault}"


def _backend_faults(cluster: Cluster, name: str, port: dict[str, Any]) -> Iterator[str]:
    if name != "gateway":
        yield f"leads to {name}"
    service = cluster.find("Service", name)
    if service is None:
        yield f"there is no Service {name}"
    elif not any(
        each["name"] == port.get("name") or each["port"] == port.get("number") for each in service["spec"]["ports"]
    ):
        yield f"the Service {name} has no port {port.get('name', port.get('number'))}"


def monitor_faults(cluster: Cluster) -> Iterator[str]:
    """Targets that Prometheus would not find."""
    for monitor in cluster.of("ServiceMonitor"):
        name, spec = f"ServiceMonitor {monitor['metadata']['name']}", monitor["spec"]
        found = [each for each in cluster.of("Service") if selects(spec["selector"], each["metadata"]["labels"])]
        if found != cluster.of("Service"):
            yield f"{name}: does not find all Services"
        for endpoint in spec["endpoints"]:
            shown = endpoint.get("authorization", {}).get("credentials")
            if shown is None:
                yield f"{name}: shows no API key"
            else:
                yield from (f"{name}: {fault}" for fault in secret_faults(shown["name"], [shown["key"]]))
        for service in found:
            ports = {port["name"] for port in service["spec"]["ports"]}
            for endpoint in spec["endpoints"]:
                if endpoint["port"] not in ports:
                    yield f"{name}: the Service {service['metadata']['name']} has no port {endpoint['port']}"
