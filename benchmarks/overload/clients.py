"""Clients that ask at a rate of their own, whatever becomes of their questions, and what they got."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import httpx
import numpy as np
from scipy import stats

from benchmarks.serving.load import one_question

Habit = Literal["asks once", "asks again", "asks again when told"]
"""Whether a client that is refused asks again: never, after pauses of its own, or after the time that it was told."""

_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 4.0


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one question.

    Attributes:
        came: When it was first asked, in seconds from the beginning.
        took: Seconds until the client had an answer or gave up.
        status: The last status; 0 where the client had given up waiting.
        tries: How often it was asked.
        is_right: Whether it is an answer, and the right one.
    """

    came: float
    took: float
    status: int
    tries: int
    is_right: bool


@dataclass(slots=True)
class Clients:
    """Questions at a mean rate, the times between them by chance (a Poisson process).

    Attributes:
        url: The gateway.
        rate: Questions a second.
        seconds: For so long.
        patience_s: How long a client waits for its answer, further tries included.
        habit: What it does when it is refused.
        says: Whether it tells the gateway how long it waits (`Prefer: wait`).
        seed: Of the times.
    """

    url: str
    rate: float
    seconds: float
    patience_s: float
    habit: Habit = "asks once"
    says: bool = False
    seed: int = 1
    endings: list[Ending] = field(default_factory=list)

    async def ask(self) -> Sequence[Ending]:
        """Ask them all, and wait until the last is answered or given up."""
        draw = random.Random(self.seed)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
        started = time.perf_counter()
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=self.patience_s, limits=limits) as http,
            asyncio.TaskGroup() as asking,
        ):
            at, number = draw.expovariate(self.rate), 0
            while at < self.seconds:
                # By the clock and not by pauses: a generator that is late catches up.
                await asyncio.sleep(max(started + at - time.perf_counter(), 0))
                letter = draw.choice("AB")
                asking.create_task(self._ask_one(http, letter, number, started, random.Random(f"{self.seed} {number}")))
                at, number = at + draw.expovariate(self.rate), number + 1
        return self.endings

    async def _ask_one(
        self, http: httpx.AsyncClient, letter: str, number: int, started: float, chance: random.Random
    ) -> None:
        came = time.perf_counter()
        content = json.dumps({**_QUESTION, "question": f"Which shape, in case {number}? (the right one is {letter})"})
        status, tries, is_right = 0, 0, False
        try:
            async with asyncio.timeout(self.patience_s):
                while True:
                    tries += 1
                    left_s = self.patience_s - (time.perf_counter() - came)
                    prefer = {"Prefer": f"wait={max(int(left_s), 1)}"} if self.says else {}
                    response = await http.post("/vqa", content=content, headers={**_JSON, **prefer})
                    status = response.status_code
                    if status not in _AGAIN or self.habit == "asks once":
                        break
                    pause_s = min(_FIRST_PAUSE_S * 2 ** (tries - 1), _LONGEST_PAUSE_S) * chance.uniform(0.5, 1.5)
                    if self.habit == "asks again when told":
                        pause_s = float(response.headers.get("Retry-After", pause_s)) + chance.uniform(0, 0.5)
                        if pause_s > left_s:
                            break
                    await asyncio.sleep(pause_s)
                if status == HTTPStatus.OK:
                    said = response.json()
                    is_right = (said["answer"] or said["guess"] or {}).get("letter") == letter
        except TimeoutError:
            status = 0
        except httpx.TransportError:
            status = -1
        self.endings.append(Ending(came - started, time.perf_counter() - came, status, tries, is_right))


def figures(endings: Sequence[Ending], since: float, until: float, block_s: float = 2.0) -> dict[str, Any]:
    """Sum up what became of the questions that came between two moments.

    Args:
        endings: All of them.
        since: The first moment, in seconds.
        until: The second, at least two blocks later.
        block_s: Length of the parts whose rates the interval is made from (batch means, Student's t).
    """
    counted = [each for each in endings if since <= each.came < until]
    right = [each for each in counted if each.is_right]
    took = [each.took for each in right]
    blocks = np.histogram([each.came for each in right], np.arange(since, until + 1e-9, block_s))[0] / block_s
    half = float(stats.t.ppf(0.975, len(blocks) - 1) * blocks.std(ddof=1) / np.sqrt(len(blocks)))
    mean = float(blocks.mean())
    statuses = Counter(each.status for each in counted)
    return {
        "asked": len(counted),
        "right_in_time": len(right),
        "per_second": round(mean, 2),
        "interval": [round(mean - half, 2), round(mean + half, 2)],
        "wrong": sum(each.status == HTTPStatus.OK and not each.is_right for each in counted),
        "p50_s": round(float(np.quantile(took, 0.5)), 3) if took else None,
        "p99_s": round(float(np.quantile(took, 0.99)), 3) if took else None,
        "statuses": {str(status): times for status, times in sorted(statuses.items())},
        "refused_p50_s": _median([each.took for each in counted if each.status in _AGAIN and each.tries == 1]),
        "tries": round(sum(each.tries for each in counted) / max(len(counted), 1), 2),
    }


def _median(seconds: Sequence[float]) -> float | None:
    return round(float(np.median(seconds)), 4) if seconds else None


_QUESTION = one_question(1)[0]
_JSON = {"Content-Type": "application/json"}
