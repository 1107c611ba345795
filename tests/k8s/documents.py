"""Rendered manifests of k8s/, and a way to look things up in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
COMPONENT = "app.kubernetes.io/component"
Document = dict[str, Any]


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which kubectl would drop one."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    if doubles := {key for key in keys if keys.count(key) > 1}:
        raise yaml.constructor.ConstructorError(None, None, f"{doubles} twice", node.start_mark)
    return loader.construct_mapping(node)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_all(text: str) -> list[Document]:
    """Read a stream of documents, strictly."""
    return [document for document in yaml.load_all(text, _StrictLoader) if document]


def renderer() -> list[str] | None:
    """The command that renders a folder, or None where this machine has none."""
    if kustomize := shutil.which("kustomize"):
        return [kustomize, "build"]
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    return None


def render(folder: Path) -> list[Document]:
    """Render a folder as `kubectl apply -k` would.

    Raises:
        AssertionError: With kustomize's words, if it refuses or warns.
    """
    command = renderer()
    assert command is not None, "there is neither kustomize nor kubectl"
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return load_all(done.stdout)


def render_with(overlay: str, components: Sequence[str], folder: Path) -> list[Document]:
    """Render an overlay with further components, as an overlay of an operator's own would."""
    up = Path(os.path.relpath(K8S, folder.resolve()))
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "trustvqa",
        "labels": [{"pairs": {"app.kubernetes.io/name": "trustvqa"}}],
        "resources": [str(up / "overlays" / overlay)],
        "components": [str(up / "components" / component) for component in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return render(folder)


@dataclass(frozen=True)
class Pods:
    """Pods that a document makes.

    Attributes:
        owner: Kind and name of the document, for messages.
        kind: Kind of what makes them directly: a Deployment or a Job.
        labels: The pods' labels.
        spec: Their specification.
        replicas: How many there are.
    """

    owner: str
    kind: str
    labels: Mapping[str, str]
    spec: Document
    replicas: int = 1

    @property
    def containers(self) -> list[Document]:
        """All containers, those that run first included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """Name -> number of the ports that the containers serve."""
        return {port["name"]: port["containerPort"] for each in self.containers for port in each.get("ports", ())}


@dataclass(frozen=True)
class Cluster:
    """Everything that lies in a namespace.

    Attributes:
        documents: The rendered manifests.
        runs: Jobs that the trainer would make.
    """

    documents: list[Document]
    runs: list[Document] = field(default_factory=list)

    def of(self, kind: str) -> list[Document]:
        """All documents of a kind."""
        return [document for document in self.documents if document["kind"] == kind]

    def find(self, kind: str, name: str) -> Document | None:
        """The document of a kind and a name, or None."""
        return next((document for document in self.of(kind) if document["metadata"]["name"] == name), None)

    @property
    def namespace(self) -> str:
        """The namespace that all things are in."""
        namespaces = {each["metadata"].get("namespace") for each in self.documents if each["kind"] != "Namespace"}
        assert len(namespaces) == 1, namespaces
        return str(namespaces.pop())

    @property
    def pods(self) -> list[Pods]:
        """All pods that are made here, those of the trainer's runs included."""
        return [pods for document in [*self.documents, *self.runs] for pods in pods_of(document)]


def pods_of(document: Document) -> Iterator[Pods]:
    """Yield the pods that a document makes."""
    owner = f"{document['kind']} {document['metadata']['name']}"
    spec = document.get("spec", {})
    if document["kind"] in {"Deployment", "Job"}:
        yield _pods(owner, document["kind"], spec)
    elif document["kind"] == "CronJob":
        yield _pods(owner, "Job", document["spec"]["jobTemplate"]["spec"])
    elif document["kind"] == "JobSet":
        for job in spec["replicatedJobs"]:
            yield _pods(f"{owner} {job['name']}", "Job", job["template"]["spec"])


def _pods(owner: str, kind: str, spec: Document) -> Pods:
    template = spec["template"]
    labels = template["metadata"].get("labels", {})
    replicas: int = spec["replicas"] if "replicas" in spec else spec.get("parallelism") or 1
    return Pods(owner, kind, labels, template["spec"], replicas)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector holds of labels; an empty one holds of all."""
    selector = selector or {}
    if any(labels.get(name) != value for name, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", ()):
        value, operator = labels.get(rule["key"]), rule["operator"]
        holds = {
            "In": value in rule.get("values", ()),
            "NotIn": value not in rule.get("values", ()),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[operator]
        if not holds:
            return False
    return True


@cache
def example_secrets() -> dict[str, frozenset[str]]:
    """The Secrets that operators are told to make: name -> keys."""
    documents = load_all((K8S / "secrets.example.yaml").read_text())
    return {each["metadata"]["name"]: frozenset(each["stringData"]) for each in documents}
