"""Answers and single calls of the downstream model, one at a time and in turns, on pictures that nobody asked about."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from benchmarks.phantoms import Drawn, draw
from prompt4trust.estimators._tokens import ALTERNATIVES
from prompt4trust.estimators.single_reply import in_form
from prompt4trust.models import Sampling
from prompt4trust.prompts import PromptTemplate, answer_messages
from prompt4trust.questions import letter_options
from services.common.clients.chat_request import ChatRequest

KINDS = (
    "call",
    "call as the gateway makes it",
    "warm",
    "cold",
    "cold, nothing read ahead",
    "warm, question asked before",
    "call, known picture",
    "warm, known picture",
)
"""One call of the downstream model with the question's guidance; the same with the log-probabilities that the gateway's
default method asks for; an answer whose guidance is in the policy's cache; an answer to a question that is new to the
policy; the same of a gateway that has the downstream model read nothing while the policy writes; an answer to a
question that the gateway was asked about another picture just before, so that it keeps the guidance itself; and a call
and a warm answer about a picture that another question was asked of before."""
_KEPT = KINDS[5]
BASES = {"warm, known picture": "call, known picture"}
"""Kind -> the call that it is put beside, where that is not the first."""
_TIMEOUT_S = 300.0
_RESAMPLES = 2_000

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack.

    Attributes:
        gateway: The gateway's address.
        unwarmed: Address of another one, with `warm_prefix` off.
        policy: The policy service's address; None where no method asks one.
        downstream: Address of the downstream model's API, with /v1.
        model: The downstream model's name there.
        template: The wording that the gateway asks by.
        method: The method of its answers, one that asks for log-probabilities.
        without: What its answers lack, as their `degraded` names it: evidence, where none was ever gathered on the
            model.
    """

    gateway: str
    unwarmed: str
    policy: str | None
    downstream: str
    model: str
    template: PromptTemplate
    method: str = "cgp+logprob"
    without: frozenset[str] = frozenset()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that can be timed of it: without a policy there is no guidance that could be new, or kept."""
        return tuple(
            kind for kind in KINDS if self.policy is not None or not (kind.startswith("cold") or kind == _KEPT)
        )


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


def measure(stack: Stack, rounds: int, seed: int, wanted: Collection[str] = KINDS) -> dict[str, Any]:
    """Time the kinds, which change places from round to round.

    Args:
        stack: What is asked.
        rounds: Of each kind one a round; a few more warm up and do not count.
        seed: Another seed, other pictures.
        wanted: Kinds to be timed, as far as the stack has them; calls that others are put beside always are.

    Returns:
        The downstream model's name, milliseconds of each kind, and the ratios of medians: to the call's, and of answers
        to the gateway's own call.
    """
    warming_up = min(5, rounds // 5)
    bases = {KINDS[0], *(BASES[kind] for kind in wanted if kind in BASES)}
    kinds = tuple(kind for kind in stack.kinds if kind in bases or kind in wanted)
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    asked = iter(draw((rounds + warming_up) * (len(kinds) + (_KEPT in kinds)), seed))
    with httpx.Client(timeout=_TIMEOUT_S) as http:
        for number in range(-warming_up, rounds):
            for place in range(len(kinds)):
                kind = kinds[(place + number) % len(kinds)]
                case = f"case {seed}-{number}-{place}"
                seconds = _time(http, stack, kind, next(asked), case, next(asked) if kind == _KEPT else None)
                if number >= 0:
                    times[kind].append(seconds)
    found = {kind: np.array(times[kind]) for kind in kinds}
    return {
        "model": stack.model,
        "n": rounds,
        "ms": {kind: _quantiles(seconds) for kind, seconds in found.items()},
        "ratios": {
            kind: asdict(Ratio.of(found[kind], found[BASES.get(kind, KINDS[0])]))
            for kind in kinds[1:]
            if kind not in BASES.values()
        },
        "ratios_to_own_call": {
            kind: asdict(Ratio.of(found[kind], found[KINDS[1]]))
            for kind in kinds
            if kind in KINDS[2:6] and KINDS[1] in kinds
        },
    }


def _time(http: httpx.Client, stack: Stack, kind: str, each: Drawn, case: str, before: Drawn | None = None) -> float:
    # A case's name makes the question new to the policy; pictures alone would find their guidance in its cache.
    text, options = f"{each.text} ({case})", letter_options(each.options)
    guidance = None if kind.startswith("cold") or stack.policy is None else _guidance(http, stack.policy, text, options)
    if kind.endswith("known picture"):
        _ask(http, stack, kind, each, f"Before that: {text}", options, guidance)
    if before is not None:
        _ask(http, stack, kind, before, text, options, guidance)
    started = time.perf_counter()
    reply = _ask(http, stack, kind, each, text, options, guidance)
    seconds = time.perf_counter() - started
    if not kind.startswith("call"):
        _check_whole(reply.json(), stack.without)
    return seconds


def _check_whole(answer: Mapping[str, Any], without: frozenset[str]) -> None:
    # Phantoms are unlike what the radiology pair was checked on, and deferred after all of the work was done.
    missing = set(answer["degraded"]) - without
    if missing and answer["decision_basis"]["code"] != "atypical-input":
        raise RuntimeError(f"an answer lacks {sorted(missing)}: its time says nothing")


def _ask(
    http: httpx.Client,
    stack: Stack,
    kind: str,
    each: Drawn,
    text: str,
    options: Mapping[str, str],
    guidance: str | None,
) -> httpx.Response:
    if kind.startswith("call"):
        messages = answer_messages(stack.template, text, options, image_url=each.data_url, guidance=guidance)
        top_logprobs = ALTERNATIVES if kind == KINDS[1] else None
        sampling = in_form(Sampling(), stack.template, options)
        asked = ChatRequest(stack.model, messages, sampling, top_logprobs=top_logprobs)
        url, body = f"{stack.downstream}/chat/completions", asked.body()
    else:
        gateway = stack.unwarmed if kind == "cold, nothing read ahead" else stack.gateway
        asked_of_it = {"image": each.base64, "question": text, "options": options, "method": stack.method}
        url, body = f"{gateway}/vqa", asked_of_it
    return http.post(url, json=body).raise_for_status()


def _guidance(http: httpx.Client, policy: str, text: str, options: Mapping[str, str]) -> str:
    asked = {"question": text, "options": dict(options)}
    reply = http.post(f"{policy}/v1/cgp", json=asked).raise_for_status().json()
    return str(reply["prompts"][0]["text"])


def _quantiles(seconds: Sequence[float] | Seconds) -> dict[str, float]:
    return {name: round(1e3 * float(np.quantile(seconds, at)), 1) for name, at in (("p50", 0.5), ("p95", 0.95))}
