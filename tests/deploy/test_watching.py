"""Prometheus' rules and Grafana's dashboard speak of metrics and services that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from tests.deploy.compose import Stack, read
from tests.deploy.faults import ROOT, SETTINGS, settings_of

PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
_FUNCTIONS = {
    "sum",
    "max",
    "min",
    "rate",
    "increase",
    "changes",
    "histogram_quantile",
    "min_over_time",
    "time",
    "vector",
    "label_replace",
}
# What Prometheus makes itself, and what its client library tells of every process.
_GIVEN = {"up", "process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
_WORDS = {"by", "le", "without", "and", "or", *_FUNCTIONS, *_GIVEN}


@cache
def sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "services").rglob("*.py"))


def expressions() -> Iterator[str]:
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "trustvqa.json").read_text(encoding="utf-8"))
    return loaded


def unknown(expression: str) -> list[str]:
    """Names in a query that no service exposes."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without) ?\([^)]*\)|\"[^\"]*\"", "", expression)
    names = set(re.findall(r"[A-Za-z_]\w*", bare)) - _WORDS
    return sorted(name for name in names if not is_exposed(name))


def is_exposed(name: str) -> bool:
    stem = re.sub(r"_(total|bucket|sum|count)$", "", name)
    # Most names stand in the source; those of figures are composed from a prefix that does.
    named = any(f'"{each}"' in sources() for each in (name, stem))
    head, _, figure = name.rpartition("gateway_calibration_")
    return named or (not head and figure != name and f'"{figure}":' in sources())


def test_every_query_is_of_metrics_that_there_are() -> None:
    asked = list(expressions())
    assert len(asked) > 20
    assert {query: unknown(query) for query in asked if unknown(query)} == {}


@pytest.mark.parametrize("name", ["gateway_anwers_total", "gateway_calibration_eec", "engine_samples"])
def test_a_misspelt_metric_is_noticed(name: str) -> None:
    assert unknown(f'sum by (status) (rate({name}{{service="gateway"}}[5m]))') == [name]


def test_prometheus_reads_every_service_where_it_listens() -> None:
    stack = Stack.model_validate(read(ROOT / "docker-compose.yml"))
    watching = set(stack.services["prometheus"].networks)
    [job] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    prometheus, keys = stack.services["prometheus"], stack.services["keys"]
    shown = job["authorization"]["credentials_file"]
    [made] = [each.partition("=")[2] for each in keys.command if each.startswith("--metrics-key=")]
    volumes = [prometheus.mounts()[shown.rpartition("/")[0]][0], keys.mounts()[made.rpartition("/")[0]][0]]
    assert volumes == ["metrics-key", "metrics-key"]
    assert shown.rpartition("/")[2] == made.rpartition("/")[2]
    read_from = {each["labels"]["service"]: each["targets"] for each in job["static_configs"]}
    assert read_from == {name: [f"{name}:{settings_of(name, {}).port}"] for name in SETTINGS}
    assert all(watching & set(stack.services[name].networks) for name in read_from)


def test_an_alert_says_what_to_do() -> None:
    names = []
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            names.append(rule["alert"])
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert set(rule["annotations"]) == {"summary", "action", "runbook"}
    assert len(names) == len(set(names))


def test_files_are_where_the_containers_look_for_them() -> None:
    stack = Stack.model_validate(read(ROOT / "docker-compose.yml"))
    grafana, prometheus = stack.services["grafana"], stack.services["prometheus"]

    def inside(mounts: dict[str, tuple[str, bool]], path: str) -> bool:
        return any(
            path.startswith(target) and (ROOT / source / path.removeprefix(target).lstrip("/")).exists()
            for target, (source, _) in mounts.items()
        )

    [rules] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"]
    assert inside(prometheus.mounts(), rules)
    config = next(each for each in prometheus.command if each.startswith("--config.file="))
    assert inside(prometheus.mounts(), config.partition("=")[2])
    [provider] = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "trustvqa.yml").read_text())["providers"]
    assert inside(grafana.mounts(), provider["options"]["path"])
    assert inside(grafana.mounts(), grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    [source] = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in dashboard()["panels"]} == {source["uid"]}
