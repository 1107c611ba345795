"""Every check of k8s/ notices a mistake that is planted in what was rendered."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.k8s_documents import Cluster, Document, load_all, render, renderer
from tests.deploy.k8s_probes import probe_faults
from tests.deploy.k8s_references import reference_faults
from tests.deploy.k8s_schemas import NEWEST, quantity, schema_faults
from tests.deploy.k8s_security import PROMETHEUS, WORLD, goes_out, may_receive, may_send, reaches, security_faults
from tests.deploy.k8s_settings import settings_faults, with_runs
from tests.deploy.test_k8s import cluster

pytestmark = pytest.mark.skipif(renderer() is None, reason="there is neither kustomize nor kubectl to render with")

GONE = object()
POD = "spec template spec"
CONTAINER = f"{POD} containers 0"


def planted(case: str, kind: str, name: str, path: str, value: Any) -> Cluster:
    """Copy a case and set what a path of keys (with blanks between) leads to.

    A list is gone into by an index or the `name` of one of its things. A function as the value makes the new value of
    the old one; GONE takes it away.
    """
    documents = copy.deepcopy(cluster(case).documents)
    (place,) = [
        each
        for each in documents
        if each["kind"] == kind and re.fullmatch(f"{name}(-[a-z0-9]{{10}})?", each["metadata"]["name"])
    ]
    *way, end = path.split()
    last: str | int = end
    found: Any = place
    for key in way:
        found = _step(found, key)
    if isinstance(found, list):
        last = found.index(_step(found, end))
    if value is GONE:
        del found[last]
    else:
        found[last] = value(found[last]) if callable(value) else value
    return Cluster(documents)


def _step(place: Any, key: str) -> Any:
    if not isinstance(place, list):
        return place[key]
    return place[int(key)] if key.isdigit() else next(each for each in place if each["name"] == key)


def text(old: str, new: str) -> Callable[[str], str]:
    """Replace in a text, which must be there."""

    def apply(held: str) -> str:
        assert old in held
        return held.replace(old, new, 1)

    return apply


def more(value: Any) -> Callable[[list[Any]], list[Any]]:
    """Add to a list."""
    return lambda held: [*held, value]


Mistake = tuple[str, str, str, Any, str]


def ids(mistakes: list[tuple[Any, ...]]) -> list[str]:
    return [f"{each[0]}-{each[1]}-{each[2].replace(' ', '.')}"[-70:] for each in mistakes]


# --- Misspelt keys ----------------------------------------------------------------------------------------------------

MISSPELT: list[Mistake] = [
    ("Deployment", "gateway", CONTAINER, lambda held: held | {"livenesProbe": {}}, "livenesProbe"),
    ("Deployment", "gateway", POD, lambda held: held | {"serviceAcountName": "x"}, "serviceAcountName"),
    ("Deployment", "gateway", "spec replicas", "2", "is not of type 'integer'"),
    ("Service", "policy", "spec", lambda held: held | {"port": 1}, "'port' was unexpected"),
    ("NetworkPolicy", "dns", "spec", lambda held: held | {"egres": []}, "egres"),
    ("PersistentVolumeClaim", "runs", "spec", lambda held: held | {"accessMode": "x"}, "accessMode"),
    ("HorizontalPodAutoscaler", "gateway", "spec maxReplicas", GONE, "'maxReplicas' is a required property"),
    ("HorizontalPodAutoscaler", "gateway", "apiVersion", "autoscaling/v2beta2", "has no HorizontalPodAutoscaler"),
    ("ScaledObject", "downstream", "apiVersion", "keda.sh/v1", "apiVersion keda.sh/v1, not keda.sh/v1alpha1"),
    ("ScaledObject", "downstream", "spec", lambda held: held | {"minReplicas": 1}, "spec.minReplicas"),
    ("ScaledObject", "downstream", "spec triggers 0 metadata", lambda held: held | {"qery": "1"}, "metadata.qery"),
    ("ServiceMonitor", "trustvqa", "spec endpoints 0", lambda held: held | {"intervall": "1s"}, "endpoints.intervall"),
    ("JobSet", "training", "spec", lambda held: held | {"failurePolcy": {}}, "spec.failurePolcy"),
    ("JobSet", "training", "spec replicatedJobs 1", lambda held: held | {"dependOn": []}, "replicatedJobs.dependOn"),
    (
        "JobSet",
        "training",
        "spec replicatedJobs 1 template spec",
        lambda held: held | {"backofLimit": 1},
        "backofLimit",
    ),
    ("Job", "batch-evaluation", "spec", lambda held: held | {"backoffLimitPerIndx": 1}, "backoffLimitPerIndx"),
    ("Ingress", "gateway", "spec rules 0 http paths 0 backend service", {"nam": "gateway"}, "nam"),
    ("ServiceAccount", "trainer", "metadata name", "Trainer", "not a name"),
]


def case_of(kind: str, name: str) -> str:
    """The smallest case that has a document."""
    for case in ("embedded", "gpu", "training", "batch-evaluation"):
        if any(each["kind"] == kind and each["metadata"]["name"].startswith(name) for each in cluster(case).documents):
            return case
    raise AssertionError(f"there is no {kind} {name}")


@pytest.mark.parametrize(("kind", "name", "path", "value", "said"), MISSPELT, ids=ids(MISSPELT))
def test_a_misspelt_key_is_noticed(kind: str, name: str, path: str, value: Any, said: str) -> None:
    spoilt = planted(case_of(kind, name), kind, name, path, value)
    changed = [each for each in spoilt.documents if each not in cluster(case_of(kind, name)).documents]
    assert len(changed) == 1
    for version in NEWEST:
        assert any(said in fault for fault in schema_faults(changed, version)), version


# --- References that dangle -------------------------------------------------------------------------------------------

COMPONENT = "app.kubernetes.io/component"
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


# --- Settings ---------------------------------------------------------------------------------------------------------

CONFIG = "data trustvqa.yaml"
UNKNOWN: list[Mistake] = [
    ("ConfigMap", "trustvqa", CONFIG, text("policy_url", "polcy_url"), "gateway knows no setting polcy_url"),
    ("ConfigMap", "trustvqa", CONFIG, text("\ngateway:", "\ngatway:"), "unknown section gatway"),
    ("ConfigMap", "trustvqa", CONFIG, text("port: 8080", "port: 80800"), "port: Input should be less than"),
    ("ConfigMap", "trustvqa", CONFIG, text("port: 8081", "port: 8181"), "listens on 8181, which is none of its ports"),
    ("ConfigMap", "trustvqa", CONFIG, text("http://policy:", "http://polici:"), "there is no Service polici"),
    ("ConfigMap", "trustvqa", CONFIG, text("http://policy:8081", "http://policy:8082"), "policy has no port 8082"),
    ("ConfigMap", "trustvqa", CONFIG, text("8082/v1", "8082"), "downstream_url: the path is ''"),
    ("ConfigMap", "trustvqa", CONFIG, text("host: 0.0.0.0", "host: 127.0.0.1"), "listens on 127.0.0.1"),
    ("ConfigMap", "trustvqa", CONFIG, text("lib/trustvqa/registry", "registry"), "registry is /var/registry"),
    ("ConfigMap", "trustvqa", CONFIG, text("claim: data", "claim: datas"), "runs see datas at"),
    ("ConfigMap", "trustvqa", CONFIG, text("grace_s: 60", "grce_s: 60"), "trainer knows no setting cancel_grce_s"),
    ("ConfigMap", "trustvqa", CONFIG, text("    grace_s: 60", "    grce_s: 60"), "kubernetes.grce_s: Extra inputs"),
    ("ConfigMap", "trustvqa", CONFIG, text("default_config: trustvqa", "default_config: embedded"), "is not mounted"),
    ("ConfigMap", "trustvqa", CONFIG, text("learning_rate", "learning_rat"), "training.update.learning_rat"),
    (
        "Deployment",
        "gateway",
        f"{CONTAINER} env",
        more({"name": "TRUSTVQA_GATEWAY_MAX_WAITNG", "value": "1"}),
        "MAX_WAITNG",
    ),
    (
        "Deployment",
        "policy",
        f"{CONTAINER} env",
        more({"name": "TRUSTVQA_GATEWAY_PORT", "value": "1"}),
        "policy knows no",
    ),
    (
        "Deployment",
        "policy",
        f"{CONTAINER} env",
        more({"name": "TRUSTVQA_POLICY_PORT", "value": "many"}),
        "port: Input",
    ),
    ("Deployment", "policy", f"{CONTAINER} env HF_HUB_OFFLINE name", "HF_HUB_OFLINE", "nothing reads the variable"),
    ("Deployment", "policy", f"{CONTAINER} env TRUSTVQA_CONFIG value", "/etc/x.yaml", "names /etc/x.yaml, which no"),
    (
        "Deployment",
        "trainer",
        f"{CONTAINER} env TRUSTVQA_SECRETS value",
        "/run/secret",
        "where no Secret puts anything",
    ),
    ("Deployment", "trainer", f"{CONTAINER} env TRUSTVQA_SECRETS", GONE, "has secrets and no TRUSTVQA_SECRETS"),
    (
        "Deployment",
        "trainer",
        f"{POD} volumes secrets secret items 0 path",
        "TRUSTVQA_TRAINER_TOKEN",
        "no setting TRUSTVQA_TRAINER_TOKEN",
    ),
    (
        "Deployment",
        "policy",
        f"{POD} volumes keys secret items 0 path",
        "key.json",
        "keys are /run/keys/keys.json, where",
    ),
    ("Deployment", "gateway", f"{CONTAINER} volumeMounts keys subPath", "keys.json", "would never change"),
    ("Deployment", "downstream", f"{CONTAINER} volumeMounts keys mountPath", "/run/key", "where no Secret puts"),
    ("Deployment", "policy", f"{CONTAINER} image", "trustvqa/polcy:1", "unknown service polcy"),
    ("Deployment", "policy", f"{CONTAINER} volumeMounts registry readOnly", True, "which is no volume to write to"),
    (
        "Deployment",
        "gateway",
        f"{CONTAINER} env TRUSTVQA_GATEWAY_RECORDS_URL value",
        "sqlite:///var/records.db",
        "records_url is sqlite:///var/records.db, which is on no volume",
    ),
    ("Deployment", "trainer", f"{CONTAINER} image", "trustvqa/trainer:2", "runs have the image trustvqa/trainer:0.1.0"),
    (
        "Deployment",
        "trainer",
        f"{CONTAINER} env TRUSTVQA_TRAINER_KUBERNETES value",
        text("image", "imgae"),
        "kubernetes.imgae: Extra inputs",
    ),
    ("Deployment", "policy-engine", f"{CONTAINER} args", more("--max-num-sequences=1"), "knows no --max-num-sequences"),
    ("Deployment", "policy-engine", f"{CONTAINER} args", lambda held: ["Qwen/Qwen2", *held[1:]], "have to be fetched"),
    (
        "Deployment",
        "downstream",
        f"{CONTAINER} args",
        lambda held: [each for each in held if "media-domains" not in each],
        "leaves out --allowed-media-domains",
    ),
    ("Job", "batch-evaluation", f"{CONTAINER} command", more("--shards=1/2"), ""),
    ("Job", "batch-evaluation", f"{CONTAINER} command", more("--concurency=1"), "evaluate knows no --concurency"),
    ("Job", "records-upgrade", f"{CONTAINER} command 2", "services.gateway.recods", "there is no module"),
    ("Job", "records-upgrade", f"{CONTAINER} image", "trustvqa/gatway:0.1.0", "image of an unknown service gatway"),
    ("Job", "batch-evaluation", f"{CONTAINER} env 0 value", "/etc/trustvqa/x.yaml", "which no ConfigMap puts there"),
    (
        "JobSet",
        "training",
        "spec replicatedJobs workers template spec template spec containers 0 args",
        lambda held: [each.replace("services.trainer.grpo", "services.trainer.gpro") for each in held],
        "there is no module services.trainer.gpro",
    ),
    ("ConfigMap", "batch-evaluation", "data evaluation.yaml", text("top_p", "topp"), "trainer knows no setting topp"),
    ("ConfigMap", "training", "data training.yaml", text("runs:", "run:"), "trainer knows no setting run"),
]


@pytest.mark.parametrize(("kind", "name", "path", "value", "said"), UNKNOWN, ids=ids(UNKNOWN))
def test_a_setting_that_no_service_knows_is_noticed(kind: str, name: str, path: str, value: Any, said: str) -> None:
    case = "gpu" if "args" in path and kind == "Deployment" else case_of(kind, name)
    faults = settings_faults(planted(case, kind, name, path, value))
    if not said:
        # An option that there is, so that what is refused above is the misspelling.
        assert not [fault for fault in faults if "knows no" in fault]
        return
    assert any(said in fault for fault in faults), faults


# --- Probes and the end of pods ---------------------------------------------------------------------------------------

GET = "httpGet path"
PROBES: list[Mistake] = [
    (
        "Deployment",
        "gateway",
        f"{CONTAINER} livenessProbe {GET}",
        "/health/alive",
        "gateway does not answer /health/alive",
    ),
    ("Deployment", "gateway", f"{CONTAINER} livenessProbe {GET}", "/health/ready", "says something else"),
    ("Deployment", "gateway", f"{CONTAINER} readinessProbe {GET}", "/health/live", "says something else"),
    ("Deployment", "gateway", f"{CONTAINER} readinessProbe timeoutSeconds", 1, "before the service has asked"),
    ("Deployment", "gateway", f"{CONTAINER} readinessProbe httpGet port", "web", "there is no port web"),
    ("Deployment", "gateway", f"{CONTAINER} startupProbe", GONE, "has no startupProbe"),
    ("Deployment", "policy", f"{CONTAINER} livenessProbe {GET}", "/health", "policy does not answer /health"),
    ("Deployment", "downstream", f"{CONTAINER} livenessProbe {GET}", "/health/live", "begins when /health answers"),
    ("Deployment", "gateway", f"{POD} terminationGracePeriodSeconds", 30, "is killed after 30 s and needs 103"),
    ("Deployment", "gateway", f"{POD} terminationGracePeriodSeconds", GONE, "is killed after 30 s and needs 103"),
    ("Deployment", "gateway", f"{CONTAINER} lifecycle", GONE, "preStop waits for 0 s"),
    ("ConfigMap", "trustvqa", CONFIG, text("shutdown_grace_s: 90", "shutdown_grace_s: 60"), "a request may take 90"),
    ("ConfigMap", "trustvqa", CONFIG, text("\n    grace_s: 60", "\n    grace_s: 30"), "a cancelled run gets 30 s"),
    ("Deployment", "policy-engine", f"{CONTAINER} livenessProbe {GET}", "/health/live", "vLLM does not answer"),
    ("Deployment", "policy-engine", f"{CONTAINER} lifecycle preStop sleep seconds", 2, "preStop waits for 2 s"),
    (
        "Deployment",
        "policy-engine",
        f"{CONTAINER} args",
        lambda held: [each.replace("--shutdown-timeout=50", "--shutdown-timeout=30") for each in held],
        "drains for 30 s, and a reply may take 45",
    ),
    ("Deployment", "policy-engine", f"{POD} terminationGracePeriodSeconds", 60, "is killed after 60 s and needs 63"),
]


@pytest.mark.parametrize(("kind", "name", "path", "value", "said"), PROBES, ids=ids(PROBES))
def test_a_probe_that_does_not_mean_what_it_says_is_noticed(
    kind: str, name: str, path: str, value: Any, said: str
) -> None:
    faults = probe_faults(planted(case_of(kind, name), kind, name, path, value))
    assert any(said in fault for fault in faults), faults


# --- Confinement ------------------------------------------------------------------------------------------------------

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


# --- Who reaches whom -------------------------------------------------------------------------------------------------


def labels(component: str) -> dict[str, str]:
    return {COMPONENT: component}


def without(name: str) -> Cluster:
    documents: list[Document] = cluster("gpu").documents
    return Cluster([each for each in documents if (each["kind"], each["metadata"]["name"]) != ("NetworkPolicy", name)])


def test_the_reading_of_policies_follows_the_standard() -> None:
    """One policy taken away after another, so that each is seen to do what it is for."""
    whole = cluster("gpu")
    gateway, engine, trainer = labels("gateway"), labels("downstream"), labels("trainer-api")
    assert reaches(whole, gateway, engine, 8082)
    assert not reaches(whole, gateway, engine, 8083)
    assert not reaches(without("downstream"), gateway, engine, 8082)
    assert not reaches(without("gateway"), gateway, engine, 8082)
    assert may_receive(whole, WORLD, gateway, 8080)
    assert not may_receive(without("gateway"), WORLD, gateway, 8080)
    # Without the general refusal, what no policy selects is open: pods that no ingress rule speaks of.
    assert not may_receive(whole, WORLD, trainer, 22)
    assert may_receive(without("default-deny"), (None, gateway), labels("trainer"), 22)
    assert may_receive(whole, PROMETHEUS, trainer, 8083)
    assert not may_receive(without("prometheus"), PROMETHEUS, trainer, 8083)
    assert not may_receive(whole, (PROMETHEUS[0], {"app": "other"}), trainer, 8083)
    assert not may_receive(whole, (WORLD[0], PROMETHEUS[1]), trainer, 8083)
    assert not may_send(without("dns"), gateway, ({"kubernetes.io/metadata.name": "kube-system"}, {}), 53)
    assert goes_out(whole, trainer) == {443, 6443}
    assert goes_out(without("trainer-api-server"), trainer) == set()
    open_wide = planted("gpu", "NetworkPolicy", "gateway-records", "spec egress 0 ports", GONE)
    assert goes_out(open_wide, gateway) == {-1}


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", 0.5), ("2", 2), ("1.5", 1.5), ("1Gi", 2**30), ("3k", 3000), ("1GB", None), ("", None), ("Gi", None)],
)
def test_quantities(text: str, value: float | None) -> None:
    assert quantity(text) == value
