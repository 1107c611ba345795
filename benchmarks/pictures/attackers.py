"""Clients that attack, in a process of their own that gives way to the others: their work is not to be measured."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import httpx

from benchmarks.pictures.attacks import five_attacks, progressive_jpeg
from benchmarks.pictures.mutations import mutated_files

JSON = {"Content-Type": "application/json"}
TIMEOUT_S = 120.0
_MIXED_IN = 1000
_NICE = 10
_HANG_UP_EVERY_S = 4.0


@dataclass(frozen=True, slots=True)
class Attack:
    """Bodies that clients of one address send, as fast as they are answered.

    Attributes:
        url: Where it is posted.
        body: Makes a question of a picture's file.
        sent: Broken files with known attacks among them, pictures that take long, or `ordinary`.
        files: How many files are sent at most.
        seconds: How long they are sent at most.
        together: Connections.
        address: Where the clients are.
        ordinary: An ordinary picture's file.
        seed: Another seed, other broken files.
    """

    url: str
    body: Callable[[bytes], bytes]
    sent: Literal["broken", "slow", "ordinary"]
    files: int
    seconds: float
    together: int
    address: str
    ordinary: bytes = b""
    seed: int = 1


@dataclass(slots=True)
class Answers:
    """Replies that attackers got.

    Attributes:
        began: When they began, in monotonic seconds of this machine.
        ended: When they ended.
        statuses: How often each status came; 0 where none came.
        slowest_s: Longest wait for a reply.
    """

    began: float = 0.0
    ended: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0


@asynccontextmanager
async def attacking(attack: Attack) -> AsyncIterator[asyncio.Future[Answers]]:
    """Attack for the length of a block, or of the attack, whichever takes longer."""
    processes = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), os.nice, (_NICE,))
    try:
        yield asyncio.get_running_loop().run_in_executor(processes, carry_out, attack)
    finally:
        await asyncio.to_thread(processes.shutdown)


def carry_out(attack: Attack) -> Answers:
    """Attack, in this process."""
    return asyncio.run(_attack(attack))


def bodies_of(attack: Attack) -> Iterable[bytes]:
    """Make the bodies that are sent, one after the other."""
    if attack.sent == "broken":
        return _broken(attack)
    # Within all bounds, and half a second of work.
    file = attack.ordinary if attack.sent == "ordinary" else progressive_jpeg(8000, 8000, 60)
    return itertools.repeat(attack.body(file), attack.files)


def _broken(attack: Attack) -> Iterator[bytes]:
    known = [attack.body(file) for file, _, _ in five_attacks().values()]
    for number, file in enumerate(mutated_files(attack.files, attack.seed)):
        if number % _MIXED_IN == 0:
            yield from known
        yield attack.body(file)


async def _attack(attack: Attack) -> Answers:
    bodies = iter(bodies_of(attack))
    left = itertools.chain([next(bodies)], bodies)  # what takes time to make is made before anybody waits
    answers = Answers(began=time.monotonic())
    until = answers.began + attack.seconds
    limits = httpx.Limits(max_connections=attack.together)
    transport = httpx.AsyncHTTPTransport(limits=limits, local_address=attack.address)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, transport=transport) as http:

        async def send() -> None:
            for body in left:
                started = time.monotonic()
                if started > until:
                    return
                try:
                    status = (await http.post(attack.url, content=body, headers=JSON)).status_code
                except httpx.TransportError:
                    status = 0
                answers.statuses[status] += 1
                answers.slowest_s = max(answers.slowest_s, time.monotonic() - started)

        hanging_up = asyncio.create_task(_hang_up_again_and_again(attack)) if attack.sent == "broken" else None
        await asyncio.gather(*(send() for _ in range(attack.together)))
        answers.ended = time.monotonic()
        if hanging_up is not None:
            hanging_up.cancel()
    return answers


async def _hang_up_again_and_again(attack: Attack) -> None:
    """Post each of the known attacks five times at once, and break the connections soon after."""
    known = [attack.body(file) for file, _, _ in five_attacks().values()]
    while True:
        for body in known:
            await asyncio.gather(*(_hang_up(attack, body, 0.02 * each) for each in range(5)))
        await asyncio.sleep(_HANG_UP_EVERY_S)


async def _hang_up(attack: Attack, body: bytes, after_s: float) -> None:
    at = httpx.URL(attack.url)
    head = f"POST {at.path} HTTP/1.1\r\nHost: {at.host}\r\nContent-Type: application/json\r\n"
    _, writer = await asyncio.open_connection(at.host, at.port, local_addr=(attack.address, 0))
    try:
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        async with asyncio.timeout(after_s + 0.1):  # who is held back is not read
            await writer.drain()
            await asyncio.sleep(after_s)
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
