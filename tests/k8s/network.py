"""Reachability among pods, by reading NetworkPolicies as a network plugin does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.k8s.documents import Cluster, Document, selects

WORLD = ({"kubernetes.io/metadata.name": "elsewhere"}, {"app": "any"})
PROMETHEUS = ({"kubernetes.io/metadata.name": "monitoring"}, {"app.kubernetes.io/name": "prometheus"})
DNS = ({"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"})
Peer = tuple[Mapping[str, str] | None, Mapping[str, str]]
"""Labels of the namespace (None for ours) and of the pod."""


def may_receive(cluster: Cluster, source: Peer, target: Mapping[str, str], port: int, protocol: str = "TCP") -> bool:
    """Whether a pod of ours may be reached."""
    return _allowed(cluster, "ingress", "from", target, source, port, protocol)


def may_send(cluster: Cluster, source: Mapping[str, str], target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether a pod of ours may reach another, in any namespace."""
    return _allowed(cluster, "egress", "to", source, target, port, protocol)


def reaches(cluster: Cluster, source: Mapping[str, str], target: Mapping[str, str], port: int) -> bool:
    """Whether one of our pods reaches another: one must be let out, and the other must let it in."""
    return may_send(cluster, source, (None, target), port) and may_receive(cluster, (None, source), target, port)


def goes_out(cluster: Cluster, source: Mapping[str, str]) -> set[int]:
    """Ports on which a pod may reach addresses that are no pods; -1 for all."""
    found = set()
    for rule in _rules(cluster, "egress", source):
        if not rule.get("to") or any("ipBlock" in peer for peer in rule["to"]):
            found |= {port["port"] for port in rule.get("ports", ())} or {-1}
    return found


def _allowed(
    cluster: Cluster, direction: str, peers: str, ours: Mapping[str, str], other: Peer, port: int, protocol: str
) -> bool:
    kind = direction.capitalize()
    policies = [each["spec"] for each in cluster.of("NetworkPolicy")]
    if not any(kind in spec["policyTypes"] and selects(spec["podSelector"], ours) for spec in policies):
        return True
    return any(
        (not rule.get(peers) or any(_is(peer, other) for peer in rule[peers]))
        and (
            not rule.get("ports")
            or any(each["port"] == port and each.get("protocol", "TCP") == protocol for each in rule["ports"])
        )
        for rule in _rules(cluster, direction, ours)
    )


def _rules(cluster: Cluster, direction: str, ours: Mapping[str, str]) -> Iterator[Document]:
    for policy in cluster.of("NetworkPolicy"):
        spec = policy["spec"]
        if direction.capitalize() in spec["policyTypes"] and selects(spec["podSelector"], ours):
            yield from spec.get(direction, ())


def _is(peer: Document, other: Peer) -> bool:
    namespace, pod = other
    if "ipBlock" in peer:
        return False
    if "namespaceSelector" not in peer:
        return namespace is None and selects(peer["podSelector"], pod)
    if namespace is None:
        return False
    return selects(peer["namespaceSelector"], namespace) and selects(peer.get("podSelector"), pod)
