"""A registry of Prometheus metrics that several worker processes of one service may share.

Where prometheus_client finds PROMETHEUS_MULTIPROC_DIR, each process keeps its values in files there, and whichever
process is asked reads all of them. What that mode of the library leaves out is here: gauges that are read when they are
asked for, collectors of one's own, and what the processes take of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

SHARED_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus_client: the directory of the values that several processes share."""
_LEAST = frozenset({"process_start_time_seconds", "process_max_fds"})


class FollowedGauge(Protocol):
    """A gauge without labels, of prometheus_client."""

    def set(self, value: float) -> None:
        """Set the value."""
        ...

    def set_function(self, f: Callable[[], float]) -> None:
        """Have the value read whenever it is asked for."""
        ...


class MetricsRegistry(CollectorRegistry):
    """The metrics of a service, of this process or of all its worker processes.

    Args:
        shared: Directory of the values that worker processes share, or None where there is one process.

    Example:
        >>> MetricsRegistry().expose()
        b''
    """

    def __init__(self, shared: Path | None = None) -> None:
        super().__init__()
        self._shared = shared
        self._followed: list[tuple[FollowedGauge, Callable[[], float]]] = []

    @classmethod
    def of_this_process(cls) -> MetricsRegistry:
        """Make a registry as the environment says that values are kept."""
        shared = os.environ.get(SHARED_VARIABLE)
        return cls(Path(shared) if shared else None)

    def follow(self, gauge: FollowedGauge, read: Callable[[], float]) -> None:
        """Have a gauge show a value that is kept elsewhere.

        Args:
            gauge: The gauge.
            read: Gives its value; called when metrics are asked for or, for other processes to see, by `keep_up`.
        """
        if self._shared is None:
            gauge.set_function(read)
        else:
            self._followed.append((gauge, read))

    def add_process_metrics(self) -> None:
        """Register what this process, or the workers of which it is one take of the machine together."""
        if self._shared is None:
            ProcessCollector(registry=self)
        else:
            WorkerProcessesCollector(self, _processes_of_the_service)

    def keep_up(self) -> None:
        """Write the followed values where other processes see them; called once a second in each."""
        for gauge, read in self._followed:
            gauge.set(read())

    def expose(self) -> bytes:
        """Write all metrics in Prometheus' text format: the sums of all worker processes where there are several."""
        if self._shared is None:
            return generate_latest(self)
        self.keep_up()
        return generate_latest(_AllProcesses(self, self._shared))


class _AllProcesses:
    """Collects what all worker processes share, and of the rest what the one that is asked knows."""

    def __init__(self, own: CollectorRegistry, shared: Path) -> None:
        self._own = own
        self._shared = shared

    def collect(self) -> Iterator[Metric]:
        # The library types none of this.
        found: list[Metric] = list(MultiProcessCollector(None, str(self._shared)).collect())  # type: ignore[no-untyped-call]
        yield from found
        names = {metric.name for metric in found}
        yield from (metric for metric in self._own.collect() if metric.name not in names)


class WorkerProcessesCollector(Collector):
    """Memory, processor time and files of a service's processes together: workers and the one that started them.

    Memory that processes share, as a library's code, counts for each of them. Registered in place of a
    ProcessCollector.

    Args:
        registry: Where it is registered.
        pids: Lists the processes.
    """

    def __init__(self, registry: CollectorRegistry, pids: Callable[[], list[int]]) -> None:
        self._pids = pids
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Give the sums; of starts and of limits the least."""
        values: dict[str, list[float]] = {}
        families: dict[str, Metric] = {}
        for pid in self._pids():
            for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                families[family.name] = family
                values.setdefault(family.name, []).extend(sample.value for sample in family.samples)
        for name, family in families.items():
            taken = min(values[name]) if name in _LEAST else sum(values[name])
            family.samples = [family.samples[0]._replace(value=taken)]
            yield family


def _processes_of_the_service() -> list[int]:
    parent = os.getppid()
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    workers = [int(pid) for pid in listed.read_text().split()] if listed.exists() else [os.getpid()]
    return [parent, *workers]
