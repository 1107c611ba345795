"""A siege: clients send what attacks decoders, one asks what people ask, and the service's memory is watched."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.pictures.attacks import five_attacks
from benchmarks.serving.processes import Service

_JSON = {"Content-Type": "application/json"}
_TIMEOUT_S = 120.0
_EVERY = 1000
_SAMPLED_S = 0.02


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
        statuses: How often each status came; 0 where none came.
        slowest_s: Longest wait of an attacker for a reply.
        waits: Seconds that each ordinary question took.
        refused: Ordinary questions that were not answered.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    waits: list[float] = field(default_factory=list)
    refused: int = 0

    def document(self) -> dict[str, Any]:
        """Put the outcome into figures; times in milliseconds."""
        p50, p99 = np.quantile(self.waits, [0.5, 0.99]) * 1e3
        return {
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "slowest_reply_s": round(self.slowest_s, 2),
            "others": {
                "n": len(self.waits),
                "p50_ms": round(p50, 1),
                "p99_ms": round(p99, 1),
                "unanswered": self.refused,
            },
        }


def gateway_body(file: bytes) -> bytes:
    """Write a question about a picture as the gateway takes it."""
    image = base64.b64encode(file).decode()
    return json.dumps({"image": image, "question": "Which shape?", "options": ["Round", "Oval"]}).encode()


def chat_body(file: bytes) -> bytes:
    """Write a question about a picture as chat completions take it; the shortest answer will do."""
    url = "data:image/*;base64," + base64.b64encode(file).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Which shape?"}]
    asked = {"model": "downstream-mini-1", "max_tokens": 1, "messages": [{"role": "user", "content": content}]}
    return json.dumps(asked).encode()


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


async def besiege(
    url: str, bodies: Iterable[bytes], together: int, ordinary: bytes, hang_up_on: Mapping[str, bytes]
) -> Outcome:
    """Send bodies from several clients, while one asks ordinary questions, one at a time.

    Args:
        url: Where they are posted.
        bodies: The clients' bodies.
        together: How many clients there are.
        ordinary: The ordinary question's body.
        hang_up_on: Bodies that are posted again and again, by clients that do not wait for the reply.
    """
    outcome, left = Outcome(), enumerate(bodies)
    ended = asyncio.Event()
    limits = httpx.Limits(max_connections=together + 8)
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits) as http:

        async def attack() -> None:
            for number, body in left:
                started = time.perf_counter()
                try:
                    status = (await http.post(url, content=body, headers=_JSON)).status_code
                except httpx.TransportError:
                    status = 0
                outcome.statuses[status] += 1
                outcome.slowest_s = max(outcome.slowest_s, time.perf_counter() - started)
                if number % _EVERY == 0:
                    for posted in hang_up_on.values():
                        await asyncio.gather(*(_hang_up(url, posted, 0.02 * each) for each in range(5)))

        async def ask() -> None:
            while not ended.is_set():
                started = time.perf_counter()
                response = await http.post(url, content=ordinary, headers=_JSON)
                outcome.waits.append(time.perf_counter() - started)
                outcome.refused += response.status_code != httpx.codes.OK

        asking = asyncio.create_task(ask())
        await asyncio.gather(*(attack() for _ in range(together)))
        ended.set()
        await asking
    return outcome


async def phases(
    service: Service,
    path: str,
    body: Callable[[bytes], bytes],
    together: int,
    ordinary: bytes,
    mutated: Iterable[bytes],
    quiet: int,
) -> dict[str, Any]:
    """Ask beside nobody, beside clients that ask the same, and beside those that attack.

    Args:
        service: The service.
        path: Where questions are posted.
        body: Makes a question of a picture's file.
        together: Clients beside the one whose waits count.
        ordinary: An ordinary picture's file.
        mutated: Broken files, among which the five attacks are mixed.
        quiet: Questions of the first two phases.

    Returns:
        Outcomes, peak memory of the last phase, and what the service says to each of the five.
    """
    url, asked = service.url + path, body(ordinary)
    attacks = {name: body(file) for name, (file, _, _) in five_attacks().items()}
    found: dict[str, Any] = {"idle_mb": round(service.rss_mb(), 1), "attacks": {}}
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
        for name, attack in attacks.items():
            started = time.perf_counter()
            status = (await http.post(url, content=attack, headers=_JSON)).status_code
            found["attacks"][name] = {"status": status, "seconds": round(time.perf_counter() - started, 3)}
    found["alone"] = (await besiege(url, [asked] * quiet, 1, asked, {})).document()
    found["beside_the_same"] = (await besiege(url, [asked] * quiet * together, together, asked, {})).document()
    mixed = itertools.chain.from_iterable(
        ([body(file)] if number % _EVERY else [*attacks.values(), body(file)]) for number, file in enumerate(mutated)
    )
    with watched(service) as seen:
        found["besieged"] = (await besiege(url, mixed, together, asked, attacks)).document()
    found["peak_mb"], found["peak_decoders"] = round(seen.peak_mb, 1), seen.peak_decoders
    return found


async def _hang_up(url: str, body: bytes, after_s: float) -> None:
    """Post a body and break the connection."""
    at = httpx.URL(url)
    reader, writer = await asyncio.open_connection(at.host, at.port)
    head = f"POST {at.path} HTTP/1.1\r\nHost: {at.host}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    try:
        await writer.drain()
        await asyncio.sleep(after_s)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
        del reader
