"""k8s/ holds together: schemas, references, settings, probes, confinement, and who reaches whom.

There is no API server here. What these tests cannot see: admission, scheduling, volumes, and whether a network plugin
enforces the policies.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from fastapi.routing import iter_route_contexts

from prompt4trust.prompts import load_template
from services.common.registry.directory import Registry
from services.common.registry.policy_template import read_policy_template
from services.gateway.records.__main__ import ACTIONS, NEWER
from services.gateway.settings import GatewaySettings
from services.policy.settings import PolicySettings
from services.trainer.settings import TrainerSettings
from tests.deploy.k8s_documents import COMPONENT, K8S, ROOT, Cluster, Document, load_all, render, render_with, renderer
from tests.deploy.k8s_documents import example_secrets as secrets
from tests.deploy.k8s_probes import answers, application, probe_faults
from tests.deploy.k8s_references import reference_faults
from tests.deploy.k8s_schemas import CUSTOM, NEWEST, schema_faults
from tests.deploy.k8s_security import (
    DNS,
    PROMETHEUS,
    WORLD,
    goes_out,
    may_receive,
    may_send,
    reaches,
    security_faults,
)
from tests.deploy.k8s_settings import listen, settings_faults, with_runs
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.skipif(renderer() is None, reason="there is neither kustomize nor kubectl to render with")

# What is applied on top of what: the last two need a deployment that stands.
LAYERS = {
    "embedded": ["embedded"],
    "gpu": ["gpu"],
    "training": ["gpu", "training"],
    "batch-evaluation": ["gpu", "batch-evaluation"],
}
FURTHER = {"embedded": ["ingress", "servicemonitor", "backup"], "gpu": ["httproute"]}


@cache
def rendered(overlay: str) -> list[Document]:
    return render(K8S / "overlays" / overlay)


@cache
def cluster(case: str) -> Cluster:
    return with_runs(Cluster([document for overlay in LAYERS[case] for document in rendered(overlay)]))


@pytest.fixture(params=LAYERS)
def case(request: pytest.FixtureRequest) -> Cluster:
    return cluster(request.param)


def everything(found: Cluster) -> list[str]:
    return [*reference_faults(found), *settings_faults(found), *probe_faults(found), *security_faults(found)]


@pytest.mark.parametrize("version", NEWEST)
def test_every_document_fits_the_schema(version: str) -> None:
    documents = [document for overlay in sorted({*itertools.chain(*LAYERS.values())}) for document in rendered(overlay)]
    documents += [run for case in ("embedded", "gpu") for run in cluster(case).runs]
    documents += load_all((K8S / "secrets.example.yaml").read_text())
    assert len(documents) > 80
    assert schema_faults(documents, version) == []


def test_the_three_newest_versions_are_meant() -> None:
    assert len(set(NEWEST)) == 3
    assert NEWEST >= ("1.35", "1.36", "1.37")


def test_it_holds_together(case: Cluster) -> None:
    assert everything(case) == []


@pytest.mark.parametrize("overlay", FURTHER)
def test_further_components_fit_too(overlay: str, tmp_path: Path) -> None:
    documents = render_with(overlay, FURTHER[overlay], tmp_path)
    assert len(documents) > len(rendered(overlay))
    assert everything(with_runs(Cluster(documents))) == []
    assert schema_faults(documents, NEWEST[-1]) == []


def test_every_component_is_used_somewhere() -> None:
    there = {path.parent.name for path in (K8S / "components").glob("*/kustomization.yaml")}
    used = set(itertools.chain(*FURTHER.values()))
    for path in (K8S / "overlays").glob("*/kustomization.yaml"):
        used |= {Path(each).name for each in yaml.safe_load(path.read_text()).get("components", ())}
    assert used == there


def test_other_software_s_kinds_are_only_where_the_overlay_says_so() -> None:
    assert not CUSTOM.keys() & {each["kind"] for each in rendered("embedded")}
    for folder in [*K8S.glob("overlays/*"), *K8S.glob("components/*")]:
        kinds = {
            each["kind"] for path in folder.glob("*.yaml") for each in load_all(path.read_text()) if "kind" in each
        }
        said = (folder / "kustomization.yaml").read_text()
        assert all(kind in said and CUSTOM[kind] in said for kind in kinds & CUSTOM.keys()), folder


# --- Who reaches whom -------------------------------------------------------------------------------------------------

EDGES = {
    ("gateway", "policy", 8081),
    ("gateway", "downstream", 8082),
    ("trainer", "policy", 8081),
    ("trainer", "downstream", 8082),
    ("trainer-api", "downstream", 8082),
}
EXPECTED = {
    "embedded": EDGES,
    "gpu": EDGES | {("policy", "policy-engine", 8084)},
    "training": EDGES | {("policy", "policy-engine", 8084)},
    "batch-evaluation": EDGES | {("policy", "policy-engine", 8084)},
}
API_SERVER = {443, 6443}
OUTWARD = {"trainer-api": API_SERVER, "gateway": {5432}, "records-upgrade": {5432}, "weights": {443}}


@pytest.mark.parametrize("name", LAYERS)
def test_only_those_reach_each_other_who_must(name: str) -> None:
    found = cluster(name)
    ports = {number for pods in found.pods for number in pods.ports.values()} | {22, 9999}
    edges, among_nodes = set(), set()
    for source, target, port in itertools.product(found.pods, found.pods, ports):
        if reaches(found, source.labels, target.labels, port):
            if source.labels.get("trustvqa.role") == target.labels.get("trustvqa.role") == "training-node":
                among_nodes.add(port)
            else:
                edges.add((source.labels[COMPONENT], target.labels[COMPONENT], port))
    assert edges == EXPECTED[name]
    # NCCL draws its ports: the nodes of a run may use any among each other.
    assert among_nodes == (ports if name == "training" else set())


def test_only_the_gateway_is_reached_from_outside(case: Cluster) -> None:
    for pods in case.pods:
        for port in {*pods.ports.values(), 22}:
            let_in = may_receive(case, WORLD, pods.labels, port)
            assert let_in is (pods.labels[COMPONENT] == "gateway" and port == 8080), pods.owner


def test_names_can_be_looked_up_and_little_else_lies_outside(case: Cluster) -> None:
    has_database = case.find("NetworkPolicy", "gateway-records") is not None
    for pods in case.pods:
        component = pods.labels[COMPONENT]
        assert all(may_send(case, pods.labels, DNS, 53, protocol) for protocol in ("UDP", "TCP"))
        assert not may_send(case, pods.labels, DNS, 8080)
        expected = OUTWARD.get(component, set()) if component != "gateway" or has_database else set()
        assert goes_out(case, pods.labels) == expected, pods.owner


def test_prometheus_reaches_what_serves() -> None:
    found = cluster("gpu")
    for pods in found.pods:
        serves = pods.kind == "Deployment"
        for port in pods.ports.values():
            assert may_receive(found, PROMETHEUS, pods.labels, port) is serves, pods.owner
    plain = cluster("embedded")
    assert not any(may_receive(plain, PROMETHEUS, pods.labels, 8081) for pods in plain.pods)


# --- What is said twice says the same ---------------------------------------------------------------------------------


def section(path: Path, name: str) -> Document:
    found: Document = yaml.safe_load(path.read_text())[name]
    return found


def test_training_of_the_miniatures_is_that_of_the_project() -> None:
    ours, shipped = K8S / "overlays/embedded/trustvqa.yaml", ROOT / "configs/embedded.yaml"
    assert section(ours, "training") == section(shipped, "training")
    for service in ("gateway", "policy", "downstream", "trainer"):
        mine, theirs = section(ours, service), section(shipped, service)
        elsewhere = {"host", "registry", "policy_url", "downstream_url"}
        assert {name: mine.get(name) for name in theirs.keys() - elsewhere} == {
            name: theirs[name] for name in theirs.keys() - elsewhere
        }


def test_training_of_the_paper_s_policy_is_that_of_the_project() -> None:
    shipped = section(ROOT / "configs/pmcvqa.yaml", "training")
    shipped["policy"] = "/var/lib/trustvqa/weights/" + shipped["policy"].rpartition("/")[2]
    for part in ("train", "validation"):
        shipped[part]["path"] = "/var/lib/trustvqa/" + shipped[part]["path"]
    shipped["rollout"] |= {"use_vllm": False}
    del shipped["rollout"]["vllm_mode"], shipped["rollout"]["vllm_server_base_url"]
    assert section(K8S / "overlays/gpu/trustvqa.yaml", "training") == shipped
    nodes = section(K8S / "overlays/training/training.yaml", "training")
    assert nodes.pop("version") != shipped.pop("version")
    assert nodes == shipped


def test_the_first_policy_is_a_version_that_the_policy_service_takes(tmp_path: Path) -> None:
    """Its files as a pod sees them: seeded into a registry, made live, and served under that name."""
    found = cluster("gpu")
    settings = next(told.settings for told in listen(found) if told.service == "policy")
    assert isinstance(settings, PolicySettings)
    assert settings.version is not None
    policy = next(pods for pods in found.pods if pods.owner == "Deployment policy")
    (held,) = [each for each in found.of("ConfigMap") if each["metadata"]["name"].startswith("first-policy")]
    for mount in policy.containers[0]["volumeMounts"]:
        if mount["name"] == "first-policy":
            path = tmp_path / "shipped" / Path(mount["mountPath"]).relative_to(str(settings.shipped))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(held["data"][mount["subPath"]])
    registry = Registry(tmp_path / "registry")
    registry.seed(tmp_path / "shipped")
    assert registry.ensure_active(settings.version) == settings.version
    assert registry.policies() == [settings.version]
    template = read_policy_template(registry.policy_path(settings.version))
    assert template == load_template("guide-standard@1")
    engine = next(pods for pods in found.pods if pods.owner == "Deployment policy-engine").containers[0]
    assert f"--served-model-name={settings.version}" in engine["args"]


def test_engines_serve_what_the_services_ask_for_and_find_what_was_fetched() -> None:
    found = cluster("gpu")
    (asked,) = {getattr(told.settings, "downstream_model", None) for told in listen(found)} - {None}
    serving = [pods for pods in found.pods if pods.containers[0].get("command") == ["vllm", "serve"]]
    engines = {pods.labels[COMPONENT]: pods.containers[0]["args"] for pods in serving}
    assert f"--served-model-name={asked}" in engines["downstream"]
    (weights,) = [pods for pods in found.pods if pods.labels[COMPONENT] == "weights"]
    fetched = {each["command"][-1] for each in weights.containers}
    assert {engines[name][0] for name in ("downstream", "policy-engine")} == fetched
    assert section(K8S / "overlays/gpu/trustvqa.yaml", "training")["policy"] in fetched


def test_tables_are_upgraded_by_the_job_and_gateways_wait_for_it() -> None:
    found = cluster("gpu")
    (gateway,) = [told for told in listen(found) if told.service == "gateway" and told.pods.kind == "Deployment"]
    assert isinstance(gateway.settings, GatewaySettings)
    assert gateway.settings.records_upgrade is False
    job = found.find("Job", "records-upgrade")
    assert job is not None
    (container,) = job["spec"]["template"]["spec"]["containers"]
    # The very image that the gateways have, so that it knows the tables that they want.
    assert container["image"] == gateway.container["image"]
    *start, module, action = container["command"]
    assert (start, module) == (["python", "-m"], "services.gateway.records")
    (rule,) = [each for each in job["spec"]["podFailurePolicy"]["rules"] if each["action"] == "FailJob"]
    assert rule["onExitCodes"]["values"] == [NEWER]
    assert action in ACTIONS
    # Without the Job, as with SQLite, gateways do it themselves.
    alone = next(told.settings for told in listen(cluster("embedded")) if told.service == "gateway")
    assert isinstance(alone, GatewaySettings)
    assert alone.records_upgrade is True


def test_the_role_holds_what_the_executor_asks_and_no_more() -> None:
    """The API that the executor's own tests run against refuses all but these verbs, and each of them is used there."""
    role = cluster("embedded").find("Role", "trainer")
    assert role is not None
    granted = {
        (verb, resource, group)
        for rule in role["rules"]
        for verb, resource, group in itertools.product(rule["verbs"], rule["resources"], rule["apiGroups"])
    }
    spoken = set()
    for route in KubeApi().app.routes:
        path, (method,) = route.path, route.methods - {"HEAD"}  # type: ignore[attr-defined]
        named = path.split("/namespaces/{namespace}/")[1].split("/")
        resource = "/".join(part for part in named if not part.startswith("{"))
        verbs = {"POST": "create", "DELETE": "delete", "GET": "get" if "{name}" in path else "list"}
        spoken.add((verbs[method], resource, "batch" if "batch" in path else ""))
    assert granted == spoken


# --- The way in -------------------------------------------------------------------------------------------------------

CLIENTS: tuple[str, ...] = (
    "/",
    "/static/page.js",
    "/vqa",
    "/vqa/1",
    "/vqa/1/feedback",
    "/v1/about",
    "/v1/feedback",
    "/v1/calibrators",
)
CLIENTS += ("/calibration", "/calibration.json", "/sign-in", "/sign-out")
OPERATORS: tuple[str, ...] = (
    "/metrics",
    "/version",
    "/health/live",
    "/health/ready",
    "/openapi.json",
    "/calibration.html",
    "/vqaa",
)


def ingress_paths() -> list[Callable[[str], bool]]:
    (document,) = load_all((K8S / "components/ingress/ingress.yaml").read_text())
    paths = document["spec"]["rules"][0]["http"]["paths"]
    return [matcher(each["path"], each["pathType"] == "Prefix") for each in paths]


def route_paths() -> list[Callable[[str], bool]]:
    (document,) = load_all((K8S / "components/httproute/httproute.yaml").read_text())
    matches = [each["path"] for each in document["spec"]["rules"][0]["matches"]]
    return [matcher(each["value"], each["type"] == "PathPrefix") for each in matches]


def matcher(path: str, is_prefix: bool) -> Callable[[str], bool]:
    """Both standards match prefixes by whole elements of a path."""
    return lambda asked: asked == path or (is_prefix and asked.startswith(path.rstrip("/") + "/"))


@pytest.mark.parametrize("paths", [ingress_paths, route_paths], ids=["ingress", "httproute"])
def test_clients_get_through_and_operators_paths_do_not(paths: Callable[[], list[Callable[[str], bool]]]) -> None:
    for path in CLIENTS:
        assert answers("gateway", path) or answers("gateway", path, "POST"), path
        assert any(matches(path) for matches in paths()), path
    assert not [path for path in OPERATORS if any(matches(path) for matches in paths())]
    # Whatever route is added to the gateway has to be let in here, or to be listed above.
    known = {each.path or "" for each in iter_route_contexts(application("gateway").routes)} - {*OPERATORS}
    assert known > {"/", "/vqa", "/v1/about"}
    assert not [path for path in known if not any(matches(path) for matches in paths())]


def test_the_way_in_takes_what_the_gateway_takes() -> None:
    settings = next(told.settings for told in listen(cluster("gpu")) if told.service == "gateway")
    assert isinstance(settings, GatewaySettings)
    (document,) = cluster("gpu").of("Ingress")
    noted = document["metadata"]["annotations"]
    megabytes = re.fullmatch(r"(\d+)m", noted["nginx.ingress.kubernetes.io/proxy-body-size"])
    assert megabytes is not None
    assert int(megabytes[1]) * 1024 * 1024 >= settings.max_body_bytes
    longest = settings.deadline_s + settings.upload_deadline_s
    assert int(noted["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= longest
    (route,) = load_all((K8S / "components/httproute/httproute.yaml").read_text())
    assert int(route["spec"]["rules"][0]["timeouts"]["request"].removesuffix("s")) >= longest


def test_runs_have_the_image_and_the_namespace_of_another_overlay(tmp_path: Path) -> None:
    """What the trainer is told of its runs follows `images` and `namespace` where the overlay itself is edited."""
    target = tmp_path / "k8s"
    for path in K8S.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(K8S)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text())
    kustomization = target / "overlays/embedded/kustomization.yaml"
    text = kustomization.read_text().replace("namespace: trustvqa", "namespace: elsewhere")
    image = "{name: trustvqa/trainer, newName: registry.example:5000/t/trainer, newTag: '7'}"
    kustomization.write_text(text.replace("{name: trustvqa/trainer, newTag: 0.1.0}", image))
    (trainer,) = [
        each
        for each in render(kustomization.parent)
        if each["metadata"]["name"] == "trainer" and each["kind"] == "Deployment"
    ]
    environment = {
        each["name"]: each.get("value") for each in trainer["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert json.loads(environment["TRUSTVQA_TRAINER_KUBERNETES"]) == {
        "image": "registry.example:5000/t/trainer:7",
        "namespace": "elsewhere",
    }


def test_secrets_are_named_after_settings() -> None:
    assert all(key.startswith(("TRUSTVQA_", "HF_", "tls.", "key")) for keys in secrets().values() for key in keys)
    settings = next(told.settings for told in listen(cluster("gpu")) if told.service == "trainer")
    assert isinstance(settings, TrainerSettings)
    assert settings.kubernetes is not None
    assert settings.kubernetes.namespace == cluster("gpu").namespace
