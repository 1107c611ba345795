"""Checks that everything that one document says of another is so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.k8s.documents import Cluster, Document, Pods, selects
from tests.k8s.surroundings import entry_faults, monitor_faults, scaling_faults, secret_faults

# Of pods that not every overlay has; a component that is for all names it.
_ELSEWHERE = {8084}


def reference_faults(cluster: Cluster) -> list[str]:
    """References that lead to nothing, or to the wrong thing."""
    checks = (
        _service_faults,
        _disruption_faults,
        _policy_faults,
        _workload_faults,
        _volume_faults,
        _role_faults,
        scaling_faults,
        entry_faults,
        monitor_faults,
        _indexed_faults,
    )
    faults = [fault for check in checks for fault in check(cluster)]
    names = [(each["kind"], each["metadata"]["name"]) for each in cluster.documents]
    faults += [f"{kind} {name}: twice" for kind, name in sorted({each for each in names if names.count(each) > 1})]
    return faults


def _service_faults(cluster: Cluster) -> Iterator[str]:
    for service in cluster.of("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        selected = [pods for pods in cluster.pods if selects({"matchLabels": spec["selector"]}, pods.labels)]
        if not selected:
            yield f"Service {name}: selects no pods"
        for pods in selected:
            if pods.kind != "Deployment":
                yield f"Service {name}: leads to {pods.owner}"
            for port in spec["ports"]:
                if port["targetPort"] not in {*pods.ports, *pods.ports.values()}:
                    yield f"Service {name}: {pods.owner} has no port {port['targetPort']}"
                elif pods.ports.get(port["targetPort"]) != port["port"]:
                    # Policies speak of ports of pods, addresses of those of Services: one number for both.
                    yield f"Service {name}: port {port['port']} is another one in {pods.owner}"


def _disruption_faults(cluster: Cluster) -> Iterator[str]:
    for budget in cluster.of("PodDisruptionBudget"):
        name, spec = budget["metadata"]["name"], budget["spec"]
        selected = [pods for pods in cluster.pods if selects(spec["selector"], pods.labels)]
        if not selected:
            yield f"PodDisruptionBudget {name}: selects no pods"
        for pods in selected:
            if spec.get("maxUnavailable", 1) == 0 or spec.get("minAvailable", 0) >= pods.replicas:
                yield f"PodDisruptionBudget {name}: {pods.owner} could never be moved to another node"


def _policy_faults(cluster: Cluster) -> Iterator[str]:
    pods = cluster.pods
    for policy in cluster.of("NetworkPolicy"):
        name, spec = f"NetworkPolicy {policy['metadata']['name']}", policy["spec"]
        selected = [each for each in pods if selects(spec["podSelector"], each.labels)]
        if not selected:
            yield f"{name}: selects no pods"
        for kind, peers in (("ingress", "from"), ("egress", "to")):
            if kind in spec and kind.capitalize() not in spec["policyTypes"]:
                yield f"{name}: has rules for {kind}, which are not in force"
            for rule in spec.get(kind, ()):
                yield from (f"{name}: {fault}" for fault in _rule_faults(rule, kind, peers, selected, pods))


def _rule_faults(rule: Document, kind: str, peers: str, selected: list[Pods], pods: list[Pods]) -> Iterator[str]:
    given = rule.get(peers, ())
    ours = [peer["podSelector"] for peer in given if set(peer) == {"podSelector"}]
    yield from (f"finds no pods by {each}" for each in ours if not any(selects(each, pod.labels) for pod in pods))
    targets = selected
    if kind == "egress":
        if not ours or len(ours) < len(given):
            return  # to elsewhere, whose ports are not known here
        targets = [pod for pod in pods if any(selects(each, pod.labels) for each in ours)]
    served = {number for pod in targets for number in pod.ports.values()}
    for port in rule.get("ports", ()):
        if port["port"] not in served | _ELSEWHERE:
            yield f"none of its pods has the port {port['port']}"


def _workload_faults(cluster: Cluster) -> Iterator[str]:
    for deployment in cluster.of("Deployment"):
        name, spec = f"Deployment {deployment['metadata']['name']}", deployment["spec"]
        labels = spec["template"]["metadata"]["labels"]
        if not selects(spec["selector"], labels):
            yield f"{name}: its selector does not hold of its pods"
        others = [each for each in cluster.pods if each.owner != name and each.kind == "Deployment"]
        yield from (
            f"{name}: selects those of {each.owner}" for each in others if selects(spec["selector"], each.labels)
        )
        for rule in spec["template"]["spec"].get("topologySpreadConstraints", ()):
            if not selects(rule["labelSelector"], labels):
                yield f"{name}: spreads pods that are not its own"
        claims = {
            each["persistentVolumeClaim"]["claimName"]
            for each in spec["template"]["spec"].get("volumes", ())
            if "persistentVolumeClaim" in each
        }
        for claim in cluster.of("PersistentVolumeClaim"):
            alone = claim["metadata"]["name"] in claims and claim["metadata"]["name"] == "records"
            if alone and (spec.get("replicas", 2) != 1 or spec["strategy"]["type"] != "Recreate"):
                yield f"{name}: several pods would write {claim['metadata']['name']}"
    for pods in cluster.pods:
        account = pods.spec.get("serviceAccountName")
        if account and cluster.find("ServiceAccount", account) is None:
            yield f"{pods.owner}: there is no ServiceAccount {account}"


def _volume_faults(cluster: Cluster) -> Iterator[str]:
    for pods in cluster.pods:
        volumes = {volume["name"]: volume for volume in pods.spec.get("volumes", ())}
        used = {mount["name"] for each in pods.containers for mount in each.get("volumeMounts", ())}
        yield from (f"{pods.owner}: nothing mounts the volume {name}" for name in sorted(volumes.keys() - used))
        yield from (f"{pods.owner}: there is no volume {name}" for name in sorted(used - volumes.keys()))
        for volume in volumes.values():
            yield from (f"{pods.owner}: {fault}" for fault in _source_faults(cluster, volume))
        for container in pods.containers:
            yield from (f"{pods.owner}: {fault}" for fault in _mount_faults(cluster, container, volumes))
            for variable in container.get("env", ()):
                source = variable.get("valueFrom", {}).get("secretKeyRef")
                if source is not None:
                    yield from (f"{pods.owner}: {fault}" for fault in secret_faults(source["name"], [source["key"]]))


def _source_faults(cluster: Cluster, volume: Document) -> Iterator[str]:
    if "configMap" in volume:
        name = volume["configMap"]["name"]
        held = cluster.find("ConfigMap", name)
        if held is None:
            yield f"there is no ConfigMap {name}"
        for item in volume["configMap"].get("items", ()):
            if held is not None and item["key"] not in held["data"]:
                yield f"ConfigMap {name} has no key {item['key']}"
    elif "secret" in volume:
        yield from secret_faults(
            volume["secret"]["secretName"], [each["key"] for each in volume["secret"].get("items", ())]
        )
    elif "persistentVolumeClaim" in volume:
        name = volume["persistentVolumeClaim"]["claimName"]
        if cluster.find("PersistentVolumeClaim", name) is None:
            yield f"there is no PersistentVolumeClaim {name}"


def _mount_faults(cluster: Cluster, container: Document, volumes: dict[str, Any]) -> Iterator[str]:
    paths = [mount["mountPath"] for mount in container.get("volumeMounts", ())]
    yield from (f"{path} is mounted twice" for path in sorted({path for path in paths if paths.count(path) > 1}))
    for mount in container.get("volumeMounts", ()):
        volume = volumes.get(mount["name"], {})
        if "subPath" in mount and "configMap" in volume:
            held = cluster.find("ConfigMap", volume["configMap"]["name"])
            if held is not None and mount["subPath"] not in held["data"]:
                yield f"ConfigMap {volume['configMap']['name']} has no key {mount['subPath']}"
        if volume.get("persistentVolumeClaim", {}).get("readOnly") and not mount.get("readOnly"):
            yield f"{mount['mountPath']} is mounted for writing and cannot be written"


def _role_faults(cluster: Cluster) -> Iterator[str]:
    for binding in cluster.of("RoleBinding"):
        name = f"RoleBinding {binding['metadata']['name']}"
        if cluster.find(binding["roleRef"]["kind"], binding["roleRef"]["name"]) is None:
            yield f"{name}: there is no {binding['roleRef']['kind']} {binding['roleRef']['name']}"
        for subject in binding["subjects"]:
            if cluster.find(subject["kind"], subject["name"]) is None:
                yield f"{name}: there is no {subject['kind']} {subject['name']}"
            if subject.get("namespace") != cluster.namespace:
                yield f"{name}: {subject['name']} of the namespace {subject.get('namespace')}"
    yield from (
        f"{kind} {each['metadata']['name']}: rights over more than the namespace"
        for kind in ("ClusterRole", "ClusterRoleBinding")
        for each in cluster.of(kind)
    )


def _indexed_faults(cluster: Cluster) -> Iterator[str]:
    """Mistakes in what the arguments of indexed Jobs say of their size and of each other."""
    for job in cluster.of("Job"):
        yield from (f"Job {job['metadata']['name']}: {fault}" for fault in _shard_faults(job["spec"]))
    for jobset in cluster.of("JobSet"):
        spec, name = jobset["spec"], jobset["metadata"]["name"]
        jobs = {each["name"]: each for each in spec["replicatedJobs"]}
        for each in jobs.values():
            for other in each.get("dependsOn", ()):
                if other["name"] not in jobs:
                    yield f"JobSet {name}: {each['name']} waits for {other['name']}, which there is not"
            yield from (
                f"JobSet {name}: {fault}"
                for fault in _node_faults(
                    each["template"]["spec"], f"{name}-{each['name']}-0-0.{spec['network']['subdomain']}"
                )
            )


def _shard_faults(spec: Document) -> Iterator[str]:
    for container in spec["template"]["spec"]["containers"]:
        for word in (*container.get("command", ()), *container.get("args", ())):
            if "$(JOB_COMPLETION_INDEX)" in word and spec.get("completionMode") != "Indexed":
                yield "its pods have no index"
            if word.startswith("--shard=") and word != f"--shard=$(JOB_COMPLETION_INDEX)/{spec.get('completions')}":
                yield f"{word} of {spec.get('completions')} pods"
    names = {each["name"] for each in spec["template"]["spec"]["containers"]}
    for rule in spec.get("podFailurePolicy", {}).get("rules", ()):
        name = rule.get("onExitCodes", {}).get("containerName")
        if name is not None and name not in names:
            yield f"there is no container {name}"


def _node_faults(spec: Document, first: str) -> Iterator[str]:
    yield from _shard_faults(spec)
    for container in spec["template"]["spec"]["containers"]:
        given = dict(word.split("=", 1) for word in container.get("args", ()) if "=" in word)
        if "--nnodes" not in given:
            continue
        if not given["--nnodes"] == str(spec["completions"]) == str(spec["parallelism"]):
            yield f"{given['--nnodes']} nodes, {spec['completions']} pods, {spec['parallelism']} at once"
        gpus = container["resources"]["limits"].get("nvidia.com/gpu")
        if given["--nproc-per-node"] != gpus:
            yield f"{given['--nproc-per-node']} processes for {gpus} GPUs"
        if given["--master-addr"] != first:
            yield f"its first node is {first}, not {given['--master-addr']}"
        if int(given["--master-port"]) not in {port["containerPort"] for port in container.get("ports", ())}:
            yield f"no port {given['--master-port']}"
