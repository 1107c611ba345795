"""A real Prometheus reads the stack: every panel of the dashboard has something to show, every rule can be judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from benchmarks.phantoms import draw
from tests.support.servers import free_port
from tests.support.waiting import wait_until
from tests.system.conftest import ROOT, Stack

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "trustvqa.json"
# What is empty while all is well: nobody is refused, and nothing is done without.
QUIET = {"Requests refused for their key", "Answers that lack something", "Turned away, tried again, left alone"}


def panels() -> dict[str, list[str]]:
    """Title of a panel -> its queries, as Grafana sends them; rates over seconds, since a test has no minutes."""
    loaded = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found = {}
    for panel in loaded["panels"]:
        queries = [target["expr"].replace("[$__rate_interval]", "[5m]") for target in panel["targets"]]
        found[panel["title"]] = queries
    return found


@pytest.fixture(scope="module")
def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prometheus with the shipped rules, reading the stack's services every second."""
    program = os.environ.get("PROMETHEUS") or shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed (apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    config["rule_files"] = [str(ROOT / "deploy" / "prometheus" / "rules.yml")]
    [job] = config["scrape_configs"]
    job.pop("authorization", None)  # the stack of the tests has no keys
    for each in job["static_configs"]:
        each["targets"] = [stack.url(each["labels"]["service"]).removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
                f"--web.listen-address={url.removeprefix('http://')}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: is_ready(url, process, folder / "log"), 60)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def is_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return httpx.get(f"{url}/-/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    reply = httpx.get(f"{prometheus}/api/v1/query", params={"query": expression}, timeout=20)
    assert reply.status_code == 200, reply.text
    result: list[dict[str, Any]] = reply.json()["data"]["result"]
    return result


def ask(stack: Stack, seed: int, times: int = 8) -> None:
    """Ask about phantoms, some of which are answered and some left to people, and review all."""
    for each in draw(times, seed):
        fields = {"question": each.text, "options": list(each.options)}
        reply = httpx.post(f"{stack.gateway}/vqa", data=fields, files={"image": each.png}, timeout=60).json()
        said = {"who": "dr. x", "correct_option": "ABCDEF"[each.answer]}
        httpx.post(f"{stack.gateway}/vqa/{reply['id']}/feedback", json=said, timeout=30).raise_for_status()


@pytest.mark.timeout(200)
def test_every_panel_has_something_to_show(stack: Stack, prometheus: str) -> None:
    wait_until(lambda: len(query(prometheus, "up == 1")) == 4, 60)
    ask(stack, seed=1)
    # A rate needs a reading before and one after.
    wait_until(lambda: bool(query(prometheus, "sum(gateway_answers_total) >= 8")), 60)
    ask(stack, seed=2)
    wanted = {title: queries for title, queries in panels().items() if title not in QUIET}
    assert len(wanted) >= 15

    def empty() -> dict[str, list[str]]:
        found = {title: [each for each in queries if not query(prometheus, each)] for title, queries in wanted.items()}
        return {title: queries for title, queries in found.items() if queries}

    try:
        wait_until(lambda: not empty(), 30)
    finally:
        assert empty() == {}
    # The figures are those of the questions that were asked, once the last have been read.
    wait_until(lambda: bool(query(prometheus, "sum(gateway_feedback_total) >= 16")), 30)
    assert {each["metric"]["service"] for each in query(prometheus, panels()["Memory"][0])} == {
        "gateway",
        "policy",
        "downstream",
        "trainer",
    }
    for title in QUIET:  # no data, but no error either
        for each in panels()[title]:
            query(prometheus, each)


def test_every_rule_is_judged_without_an_error(prometheus: str) -> None:
    def rules() -> list[dict[str, Any]]:
        groups = httpx.get(f"{prometheus}/api/v1/rules", timeout=20).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    wait_until(lambda: bool(rules()) and all(rule["health"] != "unknown" for rule in rules()), 60)
    assert {rule["name"]: rule.get("lastError") for rule in rules() if rule["health"] != "ok"} == {}
    assert len(rules()) == 16
