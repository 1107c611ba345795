"""Checks that pods are as confined as they should be.

checkov, which has such checks as well, was tried on the mistakes that test_security.py plants: it notices 14 of the 31
(no missing run-as-non-root where the user is set, no hostPath, quantity, JobSet, ServiceAccount or Namespace) and
insists on CPU limits and image digests; it would need an environment of its own (290 MB, other versions of packages
that are pinned here). So these checks are the project's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.k8s.documents import COMPONENT, Cluster, Document, Pods
from tests.k8s.schemas import quantity

UID = 10001
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_HOST = ("hostNetwork", "hostPID", "hostIPC", "hostUsers")
_SECRET = re.compile(r"(_KEY|_TOKEN|_PASSWORD|_SECRET|_URL)$")
_NO_SECRET = re.compile(r"(sqlite|http)://?[^@]*|sqlite:////[^@]*")
WITH_TOKEN = {"trainer-api"}


def security_faults(cluster: Cluster) -> list[str]:
    """Breaches of the restricted Pod Security Standard, or of the project's own stricter rules."""
    faults = [f"{pods.owner}: {fault}" for pods in cluster.pods for fault in _pod_faults(pods)]
    for account in cluster.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            faults.append(f"ServiceAccount {account['metadata']['name']}: hands its token to every pod")
    faults += [f"Secret {each['metadata']['name']}: does not belong here" for each in cluster.of("Secret")]
    for namespace in cluster.of("Namespace"):
        labels = namespace["metadata"].get("labels", {})
        for mode in ("enforce", "audit", "warn"):
            if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                faults.append(f"Namespace {namespace['metadata']['name']}: does not {mode} the restricted standard")
    return faults


def _pod_faults(pods: Pods) -> Iterator[str]:
    spec = pods.spec
    context = spec.get("securityContext", {})
    yield from (f"sets {name}" for name in _HOST if name in spec)
    for volume in spec.get("volumes", ()):
        yield from (f"volume {volume['name']} is a {kind}" for kind in set(volume) - {"name"} - _VOLUMES)
        if "emptyDir" in volume and quantity(str(volume["emptyDir"].get("sizeLimit"))) is None:
            yield f"volume {volume['name']} has no size limit"
    yield from _identity_faults(context, "pod")
    if context.get("runAsNonRoot") is not True:
        yield "may run as root"
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        if context.get(name) != UID:
            yield f"{name} is {context.get(name)}"
    if context.get("sysctls"):
        yield "sets sysctls"
    if spec.get("enableServiceLinks") is not False:
        yield "has variables made of Services, which settings could be taken from"
    wants = pods.labels.get(COMPONENT) in WITH_TOKEN and pods.kind == "Deployment"
    if spec.get("automountServiceAccountToken") is not wants:
        yield f"automountServiceAccountToken is {spec.get('automountServiceAccountToken')}"
    if not spec.get("serviceAccountName"):
        yield "has the namespace's default account"
    for container in pods.containers:
        yield from (f"container {container['name']}: {fault}" for fault in _container_faults(container))


def _identity_faults(context: Mapping[str, Any], what: str) -> Iterator[str]:
    profile = context.get("seccompProfile", {"type": "RuntimeDefault"} if what == "container" else {})
    if profile.get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "has no seccomp profile"
    if context.get("runAsUser") == 0:
        yield "runs as root"
    if {"windowsOptions", "seLinuxOptions", "procMount", "privileged"} & set(context):
        yield "asks for more than the standard allows"


def _container_faults(container: Document) -> Iterator[str]:
    context = container.get("securityContext", {})
    yield from _identity_faults(context, "container")
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root"
    if context.get("runAsNonRoot") is not True:
        yield "may run as root"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "takes a port of its node"
    if "/tmp" not in {mount["mountPath"] for mount in container.get("volumeMounts", ())}:  # noqa: S108
        yield "has no /tmp to write to"
    image, _, tag = container["image"].rpartition(":")
    if not image or tag == "latest":
        yield f"image {container['image']} has no fixed version"
    for variable in container.get("env", ()):
        value = variable.get("value", "")
        if _SECRET.search(variable["name"]) and value and not _NO_SECRET.fullmatch(value):
            yield f"{variable['name']} stands in the open"
    yield from _resource_faults(container.get("resources", {}))


def _resource_faults(resources: Document) -> Iterator[str]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for name in ("cpu", "memory"):
        if name not in requests:
            yield f"asks for no {name}"
    if "memory" not in limits:
        yield "has no memory limit"
    for name, text in [*requests.items(), *limits.items()]:
        if quantity(str(text)) is None:
            yield f"{name}: {text} is no quantity"
    for name in requests.keys() & limits.keys():
        asked, most = quantity(str(requests[name])), quantity(str(limits[name]))
        if asked is not None and most is not None and (asked > most or ("/" in name and asked != most)):
            yield f"{name}: asks for {requests[name]} and may have {limits[name]}"
    yield from (f"{name}: limited and not asked for" for name in limits.keys() - requests.keys() if "/" in name)
