"""Somebody who asks a gateway: so many questions, so many at once, each with the time that it took."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.phantoms import draw

_TIMEOUT_S = 120.0
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Turn:
    """Outcome of a number of questions.

    Attributes:
        together: How many were in flight at once.
        seconds: From the first question to the last answer.
        answered: Seconds of each answer.
        failed: How often each other status came; 0 for none at all.
        recorded: How many answers were stored when they came.
    """

    together: int
    seconds: float
    answered: tuple[float, ...]
    failed: Mapping[int, int]
    recorded: int

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.answered) / self.seconds

    def quantile(self, share: float) -> float:
        """Give the time within which a share of the answers came, in seconds."""
        return float(np.quantile(self.answered, share)) if self.answered else float("nan")


async def ask_all(
    url: str,
    questions: Sequence[Mapping[str, Any] | bytes],
    together: int,
    headers: Mapping[str, str] | None = None,
    path: str = "/vqa",
) -> Turn:
    """Ask questions, a bounded number at once.

    Args:
        url: The server's address.
        questions: Bodies, written as JSON or to be written so.
        together: How many are in flight at once.
        headers: Of every request.
        path: Where they are posted.
    """
    left = iter(questions)
    seconds: list[float] = []
    failed: Counter[int] = Counter()
    recorded = 0
    limits = httpx.Limits(max_connections=together, max_keepalive_connections=together)
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, limits=limits, headers=headers) as http:

        async def ask() -> None:
            nonlocal recorded
            for body in left:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                started = time.perf_counter()
                try:
                    response = await http.post(path, content=content, headers=_JSON)
                except httpx.TransportError:
                    failed[0] += 1
                    continue
                if response.status_code == httpx.codes.OK:
                    seconds.append(time.perf_counter() - started)
                    recorded += bool(response.json().get("recorded"))
                else:
                    failed[response.status_code] += 1

        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(together)))
        took = time.perf_counter() - started
    return Turn(together, took, tuple(seconds), dict(failed), recorded)


def one_question(count: int) -> list[dict[str, Any]]:
    """Make one small question, so many times."""
    picture = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    body = {"image": _encoded(picture), "question": "Which shape?", "options": ["Round", "Oval"]}
    return [body] * count


def phantom_questions(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Make questions about phantoms that nobody asked before: no guidance comes from a cache.

    Args:
        count: How many.
        seed: Another seed, other pictures.
    """
    for number, each in enumerate(draw(count, seed)):
        # A question of its own, too: pictures alone would find their guidance in the policy's cache.
        text = f"{each.text} (case {seed}-{number})"
        yield {"image": each.base64, "question": text, "options": list(each.options)}


def _encoded(picture: np.ndarray[Any, Any]) -> str:
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
