"""A probe that does not mean what it says is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.k8s.cases import case_of
from tests.k8s.mistakes import CONFIG, CONTAINER, GONE, POD, Mistake, ids, planted, text
from tests.k8s.probes import probe_faults

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
