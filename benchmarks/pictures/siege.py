"""A siege: clients send what attacks decoders, one asks what people ask, and the service's memory is watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.pictures.attackers import JSON, TIMEOUT_S, Answers, Attack, attacking
from benchmarks.pictures.attacks import five_attacks
from benchmarks.serving.processes import Service

_SAMPLED_S = 0.02
_ASKS, _SHARED, _SAME, _ATTACKS, _SLOW = (f"127.0.0.{number}" for number in range(1, 6))
_HOURS = 1e4
_MANY = 1_000_000


@dataclass
class Watched:
    """A service's processes, as they were seen.

    Attributes:
        peak_mb: Most memory that the service and its processes held at once; pages that they share count for each.
        peak_decoders: Most processes that decode at once.
    """

    peak_mb: float = 0.0
    peak_decoders: int = 0


@dataclass
class Outcome:
    """Outcome of a phase.

    Attributes:
        answers: What those beside were answered.
        waits: Seconds that each ordinary question took.
        refused: Ordinary questions that were not answered.
    """

    answers: Answers
    waits: list[float] = field(default_factory=list)
    refused: int = 0

    def document(self) -> dict[str, Any]:
        """Put the outcome into figures; times in milliseconds."""
        p50, p99 = np.quantile(self.waits, [0.5, 0.99]) * 1e3
        return {
            "statuses": {str(status): count for status, count in sorted(self.answers.statuses.items())},
            "seconds": round(self.answers.ended - self.answers.began, 1),
            "slowest_reply_s": round(self.answers.slowest_s, 2),
            "others": {
                "n": len(self.waits),
                "p50_ms": round(p50, 1),
                "p99_ms": round(p99, 1),
                "p99_interval_ms": [round(bound * 1e3, 1) for bound in _interval(self.waits, 0.99)],
                "unanswered": self.refused,
            },
        }


@dataclass(frozen=True, slots=True)
class Siege:
    """How long a service is besieged.

    Attributes:
        body: Makes a question of a picture's file.
        path: Where questions are posted.
        ordinary: An ordinary picture's file.
        together: Connections beside the one whose waits count.
        quiet: Questions beside nobody, and of each connection that asks the same.
        files: Broken files that are sent from the address that asks.
        seconds: How long those of other addresses attack, in each way.
        seed: Another seed, other files.
    """

    body: Callable[[bytes], bytes]
    path: str
    ordinary: bytes
    together: int
    quiet: int
    files: int
    seconds: float
    seed: int


@contextmanager
def watched(service: Service) -> Iterator[Watched]:
    """Watch a service's processes for the length of a block, from a thread."""
    seen, done = Watched(), threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLED_S):
            held, decoders = 0, 0
            own = psutil.Process(service.process.pid)
            for each in (own, *own.children(recursive=True)):
                try:
                    held += each.memory_info().rss
                    decoders += each.ppid() != own.pid and each.pid != own.pid
                except psutil.NoSuchProcess:
                    continue
            seen.peak_mb = max(seen.peak_mb, held / 1e6)
            seen.peak_decoders = max(seen.peak_decoders, decoders)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


async def phases(service: Service, siege: Siege) -> dict[str, Any]:
    """Ask beside attackers of the same address, beside nobody, a client that asks the same, and one that attacks.

    Returns:
        Outcomes, peak memory under attack, and what the service says to each of the five known attacks.
    """
    url = service.url + siege.path
    broken = Attack(url, siege.body, "broken", siege.files, _HOURS, siege.together, _SHARED, siege.ordinary, siege.seed)
    same = replace(broken, sent="ordinary", files=siege.quiet * siege.together, address=_SAME)
    apart = replace(broken, files=_MANY, seconds=siege.seconds, address=_ATTACKS)
    found: dict[str, Any] = {"idle_mb": round(service.rss_mb(), 1), "attacks": {}}
    async with _client(_SHARED) as http:
        for name, (file, _, _) in five_attacks().items():
            started = time.perf_counter()
            status = (await http.post(url, content=siege.body(file), headers=JSON)).status_code
            found["attacks"][name] = {"status": status, "seconds": round(time.perf_counter() - started, 3)}
    with watched(service) as seen:
        # While nobody of another address has asked: these are not slowed down.
        found["besieged_from_the_same_address"] = (await _beside(broken, siege, _SHARED)).document()
        found["alone"] = (await _alone(siege, url)).document()
        found["beside_the_same"] = (await _beside(same, siege, _ASKS)).document()
        found["besieged"] = (await _beside(apart, siege, _ASKS)).document()
        found["beside_slow_pictures"] = (
            await _beside(replace(apart, sent="slow", address=_SLOW), siege, _ASKS)
        ).document()
    found["peak_mb"], found["peak_decoders"] = round(seen.peak_mb, 1), seen.peak_decoders
    return found


async def _alone(siege: Siege, url: str) -> Outcome:
    outcome = Outcome(Answers(began=time.monotonic()))
    async with _client(_ASKS) as http:
        for _ in range(siege.quiet):
            await _ask(http, url, siege, outcome)
    outcome.answers.ended = time.monotonic()
    return outcome


async def _beside(attack: Attack, siege: Siege, address: str) -> Outcome:
    """Ask one ordinary question after the other, from an address, while others attack."""
    outcome, asked = Outcome(Answers()), list[float]()
    async with attacking(attack) as answers, _client(address) as http:
        while not answers.done():
            asked.append(time.monotonic())
            await _ask(http, attack.url, siege, outcome)
        outcome.answers = await answers
    while_attacked = [
        wait
        for at, wait in zip(asked, outcome.waits, strict=True)
        if at + wait > outcome.answers.began and at < outcome.answers.ended
    ]
    return replace(outcome, waits=while_attacked)


def _client(address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=TIMEOUT_S, transport=httpx.AsyncHTTPTransport(local_address=address))


async def _ask(http: httpx.AsyncClient, url: str, siege: Siege, outcome: Outcome) -> None:
    body = siege.body(siege.ordinary)
    started = time.perf_counter()
    response = await http.post(url, content=body, headers=JSON)
    outcome.waits.append(time.perf_counter() - started)
    outcome.refused += response.status_code != httpx.codes.OK


def _interval(waits: list[float], share: float, draws: int = 1000) -> tuple[float, float]:
    """Bootstrap a quantile's 95 % interval."""
    values, rng = np.array(waits), np.random.default_rng(1)
    drawn = [np.quantile(rng.choice(values, len(values)), share) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
