"""A reference that dangles is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.k8s.cases import case_of, cluster
from tests.k8s.documents import COMPONENT, Cluster, load_all, render
from tests.k8s.mistakes import CONTAINER, GONE, POD, Mistake, ids, planted, text
from tests.k8s.references import reference_faults
from tests.k8s.settings import settings_faults

DANGLING: list[Mistake] = [
    ("Service", "policy", f"spec selector {COMPONENT}", "polciy", "Service policy: selects no pods"),
    ("Service", "policy", "spec ports 0 targetPort", "htpt", "has no port htpt"),
    ("Service", "policy", "spec ports 0 port", 80, "port 80 is another one"),
    ("Service", "trainer", f"spec selector {COMPONENT}", "trainer", "leads to Job trustvqa-run-1"),
    ("PodDisruptionBudget", "gateway", f"spec selector matchLabels {COMPONENT}", "gate", "selects no pods"),
    ("PodDisruptionBudget", "gateway", "spec", lambda held: held | {"minAvailable": 1}, "could never be moved"),
    ("NetworkPolicy", "policy", f"spec podSelector matchLabels {COMPONENT}", "polic", "selects no pods"),
    (
        "NetworkPolicy",
        "policy",
        f"spec ingress 0 from 0 podSelector matchLabels {COMPONENT}",
        "gat",
        "finds no pods by",
    ),
    ("NetworkPolicy", "policy", "spec ingress 0 ports 0 port", 8081 + 1000, "none of its pods has the port 9081"),
    ("NetworkPolicy", "gateway", "spec egress 0 ports 0 port", 8001, "none of its pods has the port 8001"),
    ("NetworkPolicy", "gateway", "spec policyTypes", ["Ingress"], "rules for egress, which are not in force"),
    ("Deployment", "policy", f"spec selector matchLabels {COMPONENT}", "x", "does not hold of its pods"),
    (
        "Deployment",
        "policy",
        f"{POD} topologySpreadConstraints 0 labelSelector matchLabels {COMPONENT}",
        "gateway",
        "spreads pods that are not its own",
    ),
    ("Deployment", "gateway", "spec replicas", 2, "several pods would write records"),
    ("Deployment", "gateway", f"{POD} serviceAccountName", "gatway", "no ServiceAccount gatway"),
    ("Deployment", "gateway", f"{POD} volumes config configMap name", "trustvqa", "no ConfigMap trustvqa"),
    ("Deployment", "gateway", f"{POD} volumes secrets secret secretName", "gateway", "to make the Secret gateway"),
    ("Deployment", "gateway", f"{POD} volumes secrets secret items 0 key", "TOKEN", "told of a key TOKEN"),
    (
        "Deployment",
        "gateway",
        f"{POD} volumes registry persistentVolumeClaim claimName",
        "r",
        "no PersistentVolumeClaim r",
    ),
    ("Deployment", "gateway", f"{POD} volumes tmp", GONE, "there is no volume tmp"),
    ("Deployment", "gateway", f"{CONTAINER} volumeMounts tmp", GONE, "nothing mounts the volume tmp"),
    ("Deployment", "gateway", f"{CONTAINER} volumeMounts tmp mountPath", "/etc/trustvqa", "is mounted twice"),
    ("ConfigMap", "trustvqa", "data", lambda held: {"trustvqa.yml": held["trustvqa.yaml"]}, "which no ConfigMap puts"),
    ("RoleBinding", "trainer", "roleRef name", "trianer", "there is no Role trianer"),
    ("RoleBinding", "trainer", "subjects 0 name", "trianer", "there is no ServiceAccount trianer"),
    ("RoleBinding", "trainer", "subjects 0 namespace", "default", "trainer of the namespace default"),
    ("HorizontalPodAutoscaler", "gateway", "spec scaleTargetRef name", "gatewy", "there is no Deployment gatewy"),
    ("HorizontalPodAutoscaler", "gateway", "spec minReplicas", 20, "from 20 to 10"),
    (
        "HorizontalPodAutoscaler",
        "gateway",
        "spec metrics 0 pods metric name",
        "requests_in_flight",
        "no rule makes the metric requests_in_flight",
    ),
    ("ScaledObject", "downstream", "spec scaleTargetRef name", "engine", "there is no Deployment engine"),
    (
        "ScaledObject",
        "downstream",
        "spec triggers 0 metadata query",
        text("num_requests_waiting", "queue"),
        "no vllm:queue",
    ),
    ("ScaledObject", "downstream", "spec triggers 0 metadata query", text('"trustvqa"', '"vqa"'), "the namespace vqa"),
    (
        "ScaledObject",
        "downstream",
        "spec triggers 0 metadata query",
        text('"downstream"', '"policy"'),
        "asks for policy",
    ),
    ("Deployment", "policy-engine", "spec", lambda held: held | {"replicas": 1}, "would set policy-engine back to 1"),
    ("Ingress", "gateway", "spec tls 0 secretName", "tls", "to make the Secret tls"),
    ("Ingress", "gateway", "spec tls 0 hosts", [], "is served without TLS"),
    ("Ingress", "gateway", "spec rules 0 http paths 1 backend service name", "trainer", "leads to trainer"),
    ("Ingress", "gateway", "spec rules 0 http paths 1 backend service port name", "web", "has no port web"),
    ("ServiceMonitor", "trustvqa", "spec endpoints 0 port", "metrics", "has no port metrics"),
    ("ServiceMonitor", "trustvqa", "spec endpoints 0 authorization", GONE, "shows no API key"),
    ("ServiceMonitor", "trustvqa", "spec endpoints 0 authorization credentials key", "text", "told of a key text"),
    (
        "Deployment",
        "trainer",
        f"{POD} volumes keys secret secretName",
        "trustvqa-key",
        "to make the Secret trustvqa-key",
    ),
    ("ServiceMonitor", "trustvqa", "spec selector matchLabels", {"app": "x"}, "does not find all Services"),
    ("Job", "batch-evaluation", "spec completions", 65, "of 65 pods"),
    ("Job", "batch-evaluation", "spec completionMode", "NonIndexed", "its pods have no index"),
    ("Job", "batch-evaluation", "spec podFailurePolicy rules 1 onExitCodes containerName", "x", "no container x"),
    (
        "JobSet",
        "training",
        "spec replicatedJobs workers dependsOn prepare name",
        "prep",
        "waits for prep, which there is not",
    ),
    ("JobSet", "training", "spec replicatedJobs workers template spec completions", 3, "2 nodes, 3 pods"),
    ("JobSet", "training", "spec network subdomain", "nodes", "its first node is training-workers-0-0.nodes"),
    (
        "JobSet",
        "training",
        "spec replicatedJobs workers template spec template spec containers 0 resources limits nvidia.com/gpu",
        "4",
        "1 processes for 4 GPUs",
    ),
]


@pytest.mark.parametrize(("kind", "name", "path", "value", "said"), DANGLING, ids=ids(DANGLING))
def test_a_reference_that_dangles_is_noticed(kind: str, name: str, path: str, value: Any, said: str) -> None:
    case = case_of(kind, name)
    spoilt = planted(case, kind, name, path, value)
    found = Cluster(spoilt.documents, cluster(case).runs)
    assert any(said in fault for fault in [*reference_faults(found), *settings_faults_if(kind, found)])


def settings_faults_if(kind: str, found: Cluster) -> list[str]:
    """A key of a ConfigMap is missed by whoever reads the file."""
    return settings_faults(found) if kind == "ConfigMap" else []


def test_what_stands_twice_is_noticed() -> None:
    documents = cluster("embedded").documents
    assert reference_faults(Cluster([*documents, documents[-1]], cluster("embedded").runs)) != []
    with pytest.raises(Exception, match="twice"):
        load_all("a: 1\na: 2\n")


def test_a_folder_that_does_not_render_is_noticed(tmp_path: Any) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [gone.yaml]\n")
    with pytest.raises(AssertionError, match=r"gone\.yaml"):
        render(tmp_path)
    (tmp_path / "kustomization.yaml").write_text("resorces: []\n")
    with pytest.raises(AssertionError, match="resorces"):
        render(tmp_path)
