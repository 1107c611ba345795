"""The manifests as they are applied: overlays on top of each other, rendered once."""

from __future__ import annotations

from functools import cache

from tests.k8s.documents import K8S, Cluster, Document, render
from tests.k8s.settings import with_runs

# What is applied on top of what: the last two need a deployment that stands.
LAYERS = {
    "embedded": ["embedded"],
    "gpu": ["gpu"],
    "training": ["gpu", "training"],
    "batch-evaluation": ["gpu", "batch-evaluation"],
}
FURTHER = {"embedded": ["ingress", "servicemonitor", "backup"], "gpu": ["httproute", "guidance-cache", "second-model"]}


@cache
def rendered(overlay: str) -> list[Document]:
    return render(K8S / "overlays" / overlay)


@cache
def cluster(case: str) -> Cluster:
    return with_runs(Cluster([document for overlay in LAYERS[case] for document in rendered(overlay)]))


def case_of(kind: str, name: str) -> str:
    """The smallest case that has a document."""
    for case in ("embedded", "gpu", "training", "batch-evaluation"):
        if any(each["kind"] == kind and each["metadata"]["name"].startswith(name) for each in cluster(case).documents):
            return case
    raise AssertionError(f"there is no {kind} {name}")
