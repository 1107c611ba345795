"""Only those reach each other who must, and the reading of policies follows the standard."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.k8s.cases import LAYERS, cluster
from tests.k8s.documents import COMPONENT, Cluster, Document, render_with
from tests.k8s.mistakes import GONE, planted
from tests.k8s.network import DNS, PROMETHEUS, WORLD, goes_out, may_receive, may_send, reaches

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


def test_a_second_downstream_model_is_reached_by_those_who_ask_it_alone(tmp_path: Path) -> None:
    found = Cluster(render_with("gpu", ["second-model"], tmp_path))
    second = labels("second-downstream")
    asking = {"gateway", "trainer"}
    for source in ("gateway", "trainer", "policy", "downstream", "trainer-api", "records-upgrade"):
        assert reaches(found, labels(source), second, 8082) is (source in asking), source
    assert not reaches(found, labels("gateway"), second, 22)
    assert not reaches(cluster("gpu"), labels("gateway"), second, 8082)
