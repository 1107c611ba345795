"""Answers and single calls of the downstream model, one at a time and in turns, on pictures that nobody asked about."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from benchmarks.phantoms import Drawn, draw
from prompt4trust.models import Sampling
from prompt4trust.prompts import PromptTemplate, answer_messages
from prompt4trust.questions import letter_options
from services.common.clients.chat_request import ChatRequest

KINDS = ("call", "warm", "cold", "cold, nothing read ahead")
"""One call of the downstream model with the question's guidance; an answer whose guidance is in the policy's cache; an
answer to a question that is new to the policy; and the same of a gateway that has the downstream model read nothing
while the policy writes."""
_TIMEOUT_S = 300.0
_RESAMPLES = 2_000

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack.

    Attributes:
        gateway: The gateway's address.
        unwarmed: Address of another one, with `warm_prefix` off.
        policy: The policy service's address.
        downstream: Address of the downstream model's API, with /v1.
        model: The downstream model's name there.
        template: The wording that the gateway asks by.
    """

    gateway: str
    unwarmed: str
    policy: str
    downstream: str
    model: str
    template: PromptTemplate


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of some times over that of others.

    Attributes:
        value: The ratio.
        low: Lower end of its 95 % interval, by resampling both.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, times: Seconds, base: Seconds) -> Ratio:
        """Divide medians; both shapes [n]."""
        rng = np.random.default_rng(0)
        drawn = [np.median(rng.choice(each, (_RESAMPLES, len(each))), axis=1) for each in (times, base)]
        low, high = np.quantile(drawn[0] / drawn[1], (0.025, 0.975))
        return cls(float(np.median(times) / np.median(base)), float(low), float(high))


def measure(stack: Stack, rounds: int, seed: int) -> dict[str, Any]:
    """Time the kinds, which change places from round to round.

    Args:
        stack: What is asked.
        rounds: Of each kind one a round; a few more warm up and do not count.
        seed: Another seed, other pictures.

    Returns:
        Milliseconds of each kind, and the ratios of the answers' medians to the call's.
    """
    warming_up = 5
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    asked = iter(draw((rounds + warming_up) * len(KINDS), seed))
    with httpx.Client(timeout=_TIMEOUT_S) as http:
        for number in range(-warming_up, rounds):
            for place in range(len(KINDS)):
                kind = KINDS[(place + number) % len(KINDS)]
                seconds = _time(http, stack, kind, next(asked), f"case {seed}-{number}-{place}")
                if number >= 0:
                    times[kind].append(seconds)
    found = {kind: np.array(times[kind]) for kind in KINDS}
    return {
        "n": rounds,
        "ms": {kind: _quantiles(seconds) for kind, seconds in found.items()},
        "ratios": {kind: asdict(Ratio.of(found[kind], found["call"])) for kind in KINDS[1:]},
    }


def _time(http: httpx.Client, stack: Stack, kind: str, each: Drawn, case: str) -> float:
    # A case's name makes the question new to the policy; pictures alone would find their guidance in its cache.
    text, options = f"{each.text} ({case})", letter_options(each.options)
    guidance = None if kind.startswith("cold") else _guidance(http, stack, text, options)
    if kind == "call":
        messages = answer_messages(stack.template, text, options, image_url=each.data_url, guidance=guidance)
        url, body = f"{stack.downstream}/chat/completions", ChatRequest(stack.model, messages, Sampling()).body()
    else:
        gateway = stack.unwarmed if kind == KINDS[-1] else stack.gateway
        url, body = f"{gateway}/vqa", {"image": each.base64, "question": text, "options": options}
    started = time.perf_counter()
    reply = http.post(url, json=body).raise_for_status()
    seconds = time.perf_counter() - started
    if kind != "call" and reply.json()["degraded"]:
        raise RuntimeError(f"an answer lacks {reply.json()['degraded']}: its time says nothing")
    return seconds


def _guidance(http: httpx.Client, stack: Stack, text: str, options: Mapping[str, str]) -> str:
    asked = {"question": text, "options": dict(options)}
    reply = http.post(f"{stack.policy}/v1/cgp", json=asked).raise_for_status().json()
    return str(reply["prompts"][0]["text"])


def _quantiles(seconds: Sequence[float] | Seconds) -> dict[str, float]:
    return {name: round(1e3 * float(np.quantile(seconds, at)), 1) for name, at in (("p50", 0.5), ("p95", 0.95))}
