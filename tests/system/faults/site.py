"""A gateway with everything around it that may fail: proxies before its models, its own registry, records and clock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from services.common.registry.directory import Registry
from tests.support.keys import bearer
from tests.support.network.fault_proxy import FaultProxy
from tests.support.waiting import until, wait_until
from tests.system.conftest import ROOT, Stack
from tests.system.faults.load import AT_ONCE, Load, client
from tests.system.faults.questions import Outcome, with_references
from tests.system.own_gateway import Models, OwnGateway

QUESTIONS = 8
SETTINGS = {
    "POLICY_DEADLINE_S": "2",
    "POLICY_PAUSE_S": "1",
    "DOWNSTREAM_PAUSE_S": "1",
    "DOWNSTREAM_DEADLINE_S": "4",
    "DEADLINE_S": "8",
    "MAX_WAIT_S": "4",
    "RECORD_DEADLINE_S": "0.5",
    "REGISTRY_CHECK_S": "0.1",
    "LOG_LEVEL": "warning",
}
"""Deadlines of seconds: what a fault costs and how long recovery takes are stated for these."""

_DEFAULT = "several-signal-cgp-logprob-downstream-mini-1-policy-mini-grpo-1-answer-compact-1-563ecf68"
_DISK_MB = 16


@dataclass(frozen=True, slots=True)
class Held:
    """Files and sockets, threads and MB of memory that a service and the processes that it started hold."""

    fds: int
    threads: int
    rss_mb: float

    @classmethod
    def by(cls, pid: int) -> Held:
        """Look at a process and its children."""
        own = psutil.Process(pid)
        tree = [own, *own.children(recursive=True)]
        return cls(
            sum(each.num_fds() for each in tree),
            sum(each.num_threads() for each in tree),
            round(sum(each.memory_info().rss for each in tree) / 1e6, 1),
        )


class Site:
    """A running gateway between its clients and the stack's models.

    Attributes:
        stack: Whose policy and downstream service it asks.
        gateway: The gateway.
        policy: The proxy before the policy service.
        downstream: The proxy before the downstream service.
        registry: The gateway's own registry, in which a calibrator is live that is not the newest of its key.
        hung_up: How many have asked and hung up.
        load: Who asks; without questions until `opened` has taken reference answers.
    """

    def __init__(
        self, stack: Models, gateway: OwnGateway, policy: FaultProxy, downstream: FaultProxy, load: Load
    ) -> None:
        self.stack = stack
        self.gateway = gateway
        self.policy = policy
        self.downstream = downstream
        self.registry = gateway.registry
        self.hung_up = 0
        self.load = load

    @property
    def calibrator(self) -> Path:
        """The file of the live calibrator of the default method."""
        return self.registry / "calibrators" / f"{_DEFAULT}.json"

    @property
    def reference(self) -> Path:
        """The file of the reference inputs."""
        return next((self.registry / "references").glob("*.json"))

    @property
    def guard(self) -> Path:
        """The file of the default method's guard."""
        return next((self.registry / "guards").glob("guard-cgp-logprob-*.json"))

    @property
    def records(self) -> Path:
        """The records' file."""
        return self.gateway.file

    def held(self) -> Held:
        """Look at what the gateway holds."""
        return Held.by(self.gateway.process.pid)

    def model_pid(self, service: str) -> int:
        """Find the process of the policy or the downstream service."""
        assert isinstance(self.stack, Stack)
        return self.stack.child(service).pid

    async def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the gateway by a signal, and start it again."""
        await asyncio.to_thread(self.gateway.stop, number)
        await asyncio.to_thread(self.gateway.start)

    async def until_stored(self, deadline_s: float = 15.0) -> None:
        """Wait until no record waits for the database."""
        await asyncio.to_thread(wait_until, lambda: not self._waiting_records(), deadline_s)

    def _waiting_records(self) -> int:
        text = httpx.get(f"{self.gateway.url}/metrics", headers=bearer(self.gateway.key), timeout=20).text
        line = next(line for line in text.splitlines() if line.startswith("gateway_records_waiting"))
        return int(float(line.split()[1]))


@asynccontextmanager
async def opened(
    stack: Models, folder: Path, at_once: int = AT_ONCE, disk_mb: int = _DISK_MB, rate: float | None = None
) -> AsyncIterator[Site]:
    """Run a gateway behind proxies for the length of a block, with answers of before any fault.

    Args:
        stack: Whose policy and downstream service it asks.
        folder: For its registry, records and log.
        at_once: How many people ask.
        disk_mb: Size of the records' disk.
        rate: Questions a second that they ask together at most; None for as many as they can.
    """
    async with FaultProxy(stack.url("policy")) as policy, FaultProxy(stack.url("downstream")) as downstream:
        settings = {**SETTINGS, "POLICY_URL": policy.url, "DOWNSTREAM_URL": f"{downstream.url}/v1"}
        gateway = OwnGateway(stack, folder, settings=settings)
        gateway.file.parent.mkdir()
        with small_disk(gateway.file.parent, disk_mb):
            _fill(gateway.registry)
            await asyncio.to_thread(gateway.start)
            load = Load(client(gateway.url, bearer(gateway.key), at_once), (), at_once, rate)
            site = Site(stack, gateway, policy, downstream, load)
            try:
                async with site.load.http:
                    site.load.questions = await with_references(site.load.http, QUESTIONS)
                    async with site.load.asking():
                        await site.load.until_right_again(30)  # pools and caches are filled
                        yield site
            finally:
                await asyncio.to_thread(gateway.stop, signal.SIGKILL)


def _fill(registry: Path) -> None:
    """Make a registry in which what is live is not the newest: who loses track of that answers by the wrong one."""
    found = Registry(registry)
    found.seed_artifacts(ROOT / "models")
    calibrator = registry / "calibrators" / f"{_DEFAULT}.json"
    found.activate_calibrator(_DEFAULT, who="operator")
    content = json.loads(calibrator.read_text())
    content |= {"name": "rejected", "created": "2026-11-28T00:00:00Z"}
    content["parameters"]["intercept"] = 4.0  # nearly certain of everything
    content.pop("checksum", None)
    (registry / "calibrators" / "rejected.json").write_text(json.dumps(content))


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Any:
    """A disk of some MB at a folder for the length of a block, where this user may mount one; else the disk beside."""
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True
        ).returncode
        == 0
    )
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def stored(records: Path) -> dict[str, tuple[Any, ...]]:
    """Read the records: an answer's id -> letter, confidence, decision."""
    with contextlib.closing(sqlite3.connect(f"file:{records}?mode=ro", uri=True)) as database:
        return {row[0]: row[1:] for row in database.execute("SELECT id, letter, confidence, decision FROM answers")}


def record_faults(
    outcomes: Sequence[Outcome], records: Mapping[str, tuple[Any, ...]], known: set[str], hung_up: int = 0
) -> list[str]:
    """Compare replies with records.

    Args:
        outcomes: What clients got.
        records: What is stored.
        known: Ids from before.
        hung_up: How many others asked and did not wait for the reply.

    Returns:
        A line for each reply that says it was recorded and was not, or not as it was told; and for each record of an
        answer that nobody was told of, where no connection was cut.
    """
    told = {each.reply["id"]: each.reply for each in outcomes if each.reply is not None}
    faults = [f"{name} is said to be recorded" for name in told if told[name]["recorded"] and name not in records]
    for name, reply in told.items():
        said = reply["answer"] or reply["guess"]
        chosen = said["letter"] if said else None
        wanted = (chosen, reply["confidence"], reply["decision"])
        if name in records and records[name] != wanted:
            faults.append(f"{name} is recorded as {records[name]}, not {wanted}")
    cut = hung_up + sum(each.kind in ("cut", "wrong") for each in outcomes)
    untold = records.keys() - told.keys() - known
    if len(untold) > cut:
        faults.append(f"{len(untold)} records of answers that nobody was told, and {cut} connections ended")
    return faults


async def settled(holds: Callable[[], bool], deadline_s: float) -> bool:
    """Wait until a condition holds; return whether it does in time."""
    try:
        await until(holds, deadline_s)
    except TimeoutError:
        return False
    return True
