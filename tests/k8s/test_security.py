"""A pod that is less confined is noticed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.k8s.cases import case_of, cluster
from tests.k8s.documents import Cluster
from tests.k8s.mistakes import CONTAINER, GONE, POD, Mistake, ids, more, planted
from tests.k8s.security import security_faults
from tests.k8s.settings import with_runs

CONTEXT = f"{CONTAINER} securityContext"
LOOSE: list[Mistake] = [
    ("Deployment", "gateway", POD, lambda held: held | {"hostNetwork": True}, "sets hostNetwork"),
    (
        "Deployment",
        "gateway",
        f"{POD} volumes",
        more({"name": "x", "hostPath": {"path": "/"}}),
        "volume x is a hostPath",
    ),
    ("Deployment", "gateway", f"{POD} volumes tmp emptyDir", {}, "volume tmp has no size limit"),
    ("Deployment", "gateway", f"{POD} securityContext runAsNonRoot", GONE, "may run as root"),
    ("Deployment", "gateway", f"{POD} securityContext runAsUser", 0, "runs as root"),
    ("Deployment", "gateway", f"{POD} securityContext runAsUser", 1000, "runAsUser is 1000"),
    ("Deployment", "gateway", f"{POD} securityContext seccompProfile", GONE, "has no seccomp profile"),
    ("Deployment", "gateway", f"{POD} enableServiceLinks", GONE, "variables made of Services"),
    ("Deployment", "gateway", f"{POD} automountServiceAccountToken", True, "automountServiceAccountToken is True"),
    ("Deployment", "trainer", f"{POD} automountServiceAccountToken", False, "automountServiceAccountToken is False"),
    ("Deployment", "gateway", f"{POD} serviceAccountName", GONE, "default account"),
    ("Deployment", "gateway", f"{CONTEXT} allowPrivilegeEscalation", GONE, "may gain privileges"),
    (
        "Deployment",
        "gateway",
        f"{CONTEXT} capabilities",
        {"drop": ["ALL"], "add": ["SYS_PTRACE"]},
        "keeps capabilities",
    ),
    ("Deployment", "gateway", f"{CONTEXT} readOnlyRootFilesystem", False, "may write to its root"),
    ("Deployment", "gateway", f"{CONTEXT} seccompProfile type", "Unconfined", "has no seccomp profile"),
    ("Deployment", "gateway", CONTEXT, lambda held: held | {"privileged": True}, "more than the standard allows"),
    ("Deployment", "gateway", f"{CONTAINER} ports 0", lambda held: held | {"hostPort": 80}, "takes a port of its node"),
    ("Deployment", "gateway", f"{CONTAINER} image", "trustvqa/gateway:latest", "has no fixed version"),
    ("Deployment", "gateway", f"{CONTAINER} image", "trustvqa/gateway", "has no fixed version"),
    ("Deployment", "gateway", f"{CONTAINER} resources limits memory", GONE, "has no memory limit"),
    ("Deployment", "gateway", f"{CONTAINER} resources limits memory", "512Mi", "asks for 1Gi and may have 512Mi"),
    ("Deployment", "gateway", f"{CONTAINER} resources limits memory", "3GB", "3GB is no quantity"),
    (
        "Deployment",
        "gateway",
        f"{CONTAINER} env",
        more({"name": "TRUSTVQA_GATEWAY_DOWNSTREAM_API_KEY", "value": "x"}),
        "in the open",
    ),
    (
        "Deployment",
        "gateway",
        f"{CONTAINER} env TRUSTVQA_GATEWAY_RECORDS_URL value",
        "postgresql://u:p@host/name",
        "TRUSTVQA_GATEWAY_RECORDS_URL stands in the open",
    ),
    (
        "Deployment",
        "policy-engine",
        f"{CONTAINER} resources requests nvidia.com/gpu",
        GONE,
        "limited and not asked for",
    ),
    ("ServiceAccount", "gateway", "automountServiceAccountToken", GONE, "hands its token to every pod"),
    ("Namespace", "trustvqa", "metadata labels pod-security.kubernetes.io/enforce", "baseline", "does not enforce"),
    ("ConfigMap", "trustvqa", "kind", "Secret", "does not belong here"),
    ("Job", "weights", f"{POD} initContainers 0 securityContext capabilities", GONE, "container downstream: keeps"),
    ("Job", "records-upgrade", f"{CONTAINER} securityContext capabilities", GONE, "container upgrade: keeps"),
    (
        "JobSet",
        "training",
        "spec replicatedJobs workers template spec template spec securityContext runAsNonRoot",
        False,
        "may run as root",
    ),
]


@pytest.mark.parametrize(("kind", "name", "path", "value", "said"), LOOSE, ids=ids(LOOSE))
def test_a_pod_that_is_less_confined_is_noticed(kind: str, name: str, path: str, value: Any, said: str) -> None:
    faults = security_faults(planted(case_of(kind, name), kind, name, path, value))
    assert any(said in fault for fault in faults), faults


def test_a_run_that_is_less_confined_is_noticed() -> None:
    found = with_runs(Cluster(copy.deepcopy(cluster("embedded").documents)))
    (run,) = found.runs
    assert security_faults(found) == []
    run["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    assert security_faults(found) == ["Job trustvqa-run-1: container trainer: may write to its root"]
