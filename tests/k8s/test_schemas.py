"""Every document fits the schemas of the newest Kubernetes versions; a misspelt key does not."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.k8s.cases import LAYERS, case_of, cluster, rendered
from tests.k8s.documents import K8S, load_all
from tests.k8s.mistakes import CONTAINER, GONE, POD, Mistake, ids, planted
from tests.k8s.schemas import NEWEST, quantity, schema_faults


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


@pytest.mark.parametrize(("kind", "name", "path", "value", "said"), MISSPELT, ids=ids(MISSPELT))
def test_a_misspelt_key_is_noticed(kind: str, name: str, path: str, value: Any, said: str) -> None:
    spoilt = planted(case_of(kind, name), kind, name, path, value)
    changed = [each for each in spoilt.documents if each not in cluster(case_of(kind, name)).documents]
    assert len(changed) == 1
    for version in NEWEST:
        assert any(said in fault for fault in schema_faults(changed, version)), version


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", 0.5), ("2", 2), ("1.5", 1.5), ("1Gi", 2**30), ("3k", 3000), ("1GB", None), ("", None), ("Gi", None)],
)
def test_quantities(text: str, value: float | None) -> None:
    assert quantity(text) == value
