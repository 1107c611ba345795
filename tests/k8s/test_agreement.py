"""The manifests say what the project's own settings, images and code say."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import yaml

from prompt4trust.prompts import load_template
from services.common.registry.directory import Registry
from services.common.registry.policy_template import read_policy_template
from services.gateway.records.__main__ import ACTIONS, NEWER
from services.gateway.settings import GatewaySettings
from services.policy.settings import PolicySettings
from services.trainer.settings import TrainerSettings
from tests.k8s.cases import cluster
from tests.k8s.documents import COMPONENT, K8S, ROOT, Document, render
from tests.k8s.documents import example_secrets as secrets
from tests.k8s.settings import listen
from tests.support.kube_api import KubeApi


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


def test_runs_have_the_image_and_the_namespace_of_another_overlay(tmp_path: Path) -> None:
    """The trainer's settings for its runs follow `images` and `namespace` where the overlay itself is edited."""
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
