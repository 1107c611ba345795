"""Metrics of one process, and of several that share a directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families

from services.common.metrics_registry import SHARED_VARIABLE, MetricsRegistry, WorkerProcessesCollector

_WORKER = """
from pathlib import Path
import sys
from prometheus_client import Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from services.common.metrics_registry import MetricsRegistry

class Own(Collector):
    def collect(self):
        yield GaugeMetricFamily("own", "Known to each process by itself.", 7)

registry = MetricsRegistry.of_this_process()
registry.register(Own())
Counter("asked", "Questions.", ("kind",), registry=registry).labels("open").inc(int(sys.argv[1]))
waiting = Gauge("waiting", "Those that wait.", registry=registry, multiprocess_mode="livesum")
registry.follow(waiting, lambda: int(sys.argv[2]))
registry.keep_up()
print(registry.expose().decode())
"""


def _values(text: str) -> dict[str, float]:
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


def test_one_process_exposes_its_own_and_reads_what_it_follows_when_asked() -> None:
    registry = MetricsRegistry()
    Counter("asked", "Questions.", registry=registry).inc(2)
    waiting = [1]
    registry.follow(Gauge("waiting", "Those that wait.", registry=registry), lambda: waiting[0])
    waiting[0] = 5
    found = _values(registry.expose().decode())
    assert (found["asked_total"], found["waiting"]) == (2, 5)


def test_processes_that_share_a_directory_are_summed(tmp_path: Path) -> None:
    environment = {**os.environ, SHARED_VARIABLE: str(tmp_path)}

    def worker(asked: int, waiting: int) -> dict[str, float]:
        command = [sys.executable, "-c", _WORKER, str(asked), str(waiting)]
        return _values(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    assert worker(2, 3) | {"own": 7} == worker(0, 0) | {"own": 7, "asked_total": 2, "waiting": 3}
    last = worker(5, 4)
    assert (last["asked_total"], last["waiting"], last["own"]) == (7, 7, 7)


def test_what_processes_take_is_summed() -> None:
    registry = MetricsRegistry()
    WorkerProcessesCollector(registry, lambda: [os.getpid(), os.getpid()])
    twice = _values(registry.expose().decode())
    one = MetricsRegistry()
    WorkerProcessesCollector(one, lambda: [os.getpid()])
    once = _values(one.expose().decode())
    assert twice["process_open_fds"] == 2 * once["process_open_fds"]
    assert twice["process_start_time_seconds"] == once["process_start_time_seconds"]
