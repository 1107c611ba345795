"""Loads that a gateway is put under, and what became of the questions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from benchmarks.overload.clients import Clients, Habit, figures
from benchmarks.serving.processes import ROOT, Service, ending, running_service, wait_for
from benchmarks.serving.stand_ins import settings_for

FIXED: Final[Mapping[str, str]] = {"ADAPTIVE_LIMIT": "false", "MAX_WAIT_S": "10", "STANDING_WAIT_S": "10"}
"""Settings of a gateway that lets in 64 at once and 128 wait for up to 10 s, whatever the models do."""
_HABITS: Final[tuple[Habit, ...]] = ("asks once", "asks again", "asks again when told")


@dataclass(frozen=True, slots=True)
class Setting:
    """A model and its clients.

    Attributes:
        slots: Questions that the model answers at once.
        seconds: Mean time of an answer.
        patience_s: How long a client waits.
        lasts_s: How long a load lasts.
        warm_s: How much of that is not counted.
    """

    slots: int = 8
    seconds: float = 0.4
    patience_s: float = 4.0
    lasts_s: float = 30.0
    warm_s: float = 6.0

    @property
    def capacity(self) -> float:
        """Answers a second that the model can give."""
        return self.slots / self.seconds


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway to measure.

    Attributes:
        name: What tables call it.
        settings: Its settings, in the environment's names without the prefix.
        root: The checkout that it runs from.
    """

    name: str
    settings: Mapping[str, str]
    root: Path = ROOT


@contextmanager
def running(gateway: Gateway, setting: Setting, port: int, folder: Path) -> Iterator[tuple[Service, str]]:
    """Run a gateway and its model for the length of a block; give it and the model's address."""
    model = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.overload.stand_in"]
    process = subprocess.Popen([*command, str(port), str(setting.slots), str(setting.seconds)], cwd=ROOT)
    with ending(process):
        wait_for(model, process)
        told = settings_for(port, folder, f"sqlite:///{folder}/records.db") | dict(gateway.settings)
        with running_service("gateway", port + 1, told, folder, name=gateway.name, root=gateway.root) as service:
            yield service, model


async def at_loads(service: Service, setting: Setting, loads: list[float]) -> list[dict[str, Any]]:
    """Ask at several multiples of the model's capacity, one after the other."""
    found = []
    for load in loads:
        clients = Clients(
            service.url, load * setting.capacity, setting.lasts_s, setting.patience_s, seed=int(10 * load)
        )
        before = service.cpu_s()
        endings = await clients.ask()
        spent = service.cpu_s() - before
        found.append({"load": load, "cpu_s": round(spent, 2)} | figures(endings, setting.warm_s, setting.lasts_s))
    return found


async def while_it_halves(service: Service, model: str, setting: Setting) -> list[dict[str, Any]]:
    """Ask at twice the capacity, which is halved in the middle."""
    half = setting.lasts_s
    clients = Clients(service.url, 2 * setting.capacity, 2 * half, setting.patience_s, seed=31)

    async def halve() -> None:
        await anyio.sleep(half)
        async with httpx.AsyncClient() as http:
            await http.put(f"{model}/slots?{setting.slots // 2}")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(halve)
        endings = await clients.ask()
    parts = {"before": (setting.warm_s, half), "just after": (half, 1.5 * half), "later": (1.5 * half, 2 * half)}
    return [{"part": name} | figures(endings, *part) for name, part in parts.items()]


async def by_habit(service: Service, setting: Setting, load: float, says: bool) -> list[dict[str, Any]]:
    """Ask at one load by clients that ask again and others that do not, all with a long patience."""
    patient = replace(setting, patience_s=5 * setting.patience_s)
    found = []
    for habit in _HABITS:
        clients = Clients(service.url, load * setting.capacity, patient.lasts_s, patient.patience_s, habit, says)
        endings = await clients.ask()
        found.append({"habit": habit} | figures(endings, setting.warm_s, setting.lasts_s))
    return found
