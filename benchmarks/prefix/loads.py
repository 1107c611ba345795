"""Loads of requests, in an order: the samples of one method, the second pass of another, the trials of training."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.engine.servers import Contender
from prompt4trust.estimators.consistency import Consistency
from prompt4trust.models import Downstream, Sampling
from prompt4trust.prompts import Message, PromptTemplate, answer_messages, load_template
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings

TEMPLATE = "answer-compact@1"
GREEDY = Sampling(max_tokens=64)
TRIED = Sampling(max_tokens=64, temperature=0.1, top_p=0.95)
# As many as training tries on each question. What they say does not matter here; that they differ does.
HINTS = (
    "Look at the outline before the inside and say less where the two disagree.",
    "Count what can be counted, then ask whether noise could have made one of them.",
    "Compare both sides first; a difference that only brightness makes is weak evidence.",
    "Weigh size against texture, and lower your confidence if the border is blurred.",
    "Name the region that decides, and think of what else looks like it there.",
    "Start from the most common explanation and look for what contradicts it.",
    "Judge sharp edges as strong evidence and faint shades as little of it.",
    "Read the options once more and keep in mind that two of them may look alike.",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: its number, text, options and picture."""

    number: int
    text: str
    options: Mapping[str, str]
    image_url: str


Load = Callable[[Downstream, Asked], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One server's work on one load.

    Attributes:
        seconds: From the first request to the last reply.
        busy_s: What the server's processes took of the processor meanwhile.
        prompt_tokens: Tokens of prompts that the cache was asked for, each sample's counted.
        cached_tokens: How many of them it had.
    """

    seconds: float
    busy_s: float
    prompt_tokens: int
    cached_tokens: int

    @property
    def hit_rate(self) -> float:
        """Share of the prompts' tokens that were not computed."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0


async def consistency(model: Downstream, asked: Asked) -> None:
    """Draw 21 samples of one prompt, as the method of that name does."""
    await Consistency(model, _template(), GREEDY).answer(asked.text, asked.options, asked.image_url)


def second_pass(*, guidance_first: bool) -> Load:
    """Ask without guidance, then with it, as an evaluation of both methods does."""

    async def load(model: Downstream, asked: Asked) -> None:
        await model.complete(prompt(asked, None), GREEDY)
        await model.complete(prompt(asked, HINTS[0], guidance_first=guidance_first), GREEDY)

    return load


def trials(*, guidance_first: bool) -> Load:
    """Try eight guidance prompts on one question, all at once, as training does."""

    async def load(model: Downstream, asked: Asked) -> None:
        prompts = [prompt(asked, hint, guidance_first=guidance_first) for hint in HINTS]
        await asyncio.gather(*(model.complete(each, TRIED) for each in prompts))

    return load


LOADS: Mapping[str, Load] = {
    "consistency, 21 samples": consistency,
    "verbalized, then cgp": second_pass(guidance_first=False),
    "verbalized, then cgp, guidance first": second_pass(guidance_first=True),
    "8 guidance prompts": trials(guidance_first=False),
    "8 guidance prompts, guidance first": trials(guidance_first=True),
}
"""Loads that are measured. This project does not ask "guidance first": it shows what the order is worth."""


def prompt(asked: Asked, guidance: str | None, *, guidance_first: bool = False) -> list[Message]:
    """Make a prompt as the project does, or with the guidance ahead of picture and question."""
    if guidance is not None:
        # A policy writes for one question: from its first words on, no two questions have a hint in common.
        guidance = f"In case {asked.number} this: {guidance}"
    if guidance is None or not guidance_first:
        return answer_messages(_template(), asked.text, asked.options, image_url=asked.image_url, guidance=guidance)
    (message,) = answer_messages(_template(), asked.text, asked.options, image_url=asked.image_url)
    head = {"type": "text", "text": f"Guidance: {guidance}\n"}
    return [{**message, "content": [head, *message["content"]]}]


async def measure(contender: Contender, load: Load, asked: Sequence[Asked], together: int) -> Turn:
    """Put a load on a server.

    Args:
        contender: The server.
        load: What is asked of each question.
        asked: The questions.
        together: How many of them at once.
    """
    room = asyncio.Semaphore(together)

    async with HttpPool(contender.url, max_connections=together * len(HINTS)) as http:
        model = DownstreamClient(http, contender.model, RetrySettings(deadline_s=300, attempts=1))

        async def one(each: Asked) -> None:
            async with room:
                await load(model, each)

        before, busy = await _counters(http), _busy_s(contender)
        began = time.perf_counter()
        await asyncio.gather(*(one(each) for each in asked))
        seconds = time.perf_counter() - began
        busy = _busy_s(contender) - busy
        after = await _counters(http)
    return Turn(seconds, busy, after[0] - before[0], after[1] - before[1])


async def _counters(http: HttpPool) -> tuple[int, int]:
    """Read vLLM's counters: prompt tokens that the cache was asked for, and those that it had."""
    text = (await http.get("../metrics", 60)).text
    found = {"queries": 0.0, "hits": 0.0, "prompt": 0.0}
    names = {
        "vllm:prefix_cache_queries_total": "queries",
        "vllm:prefix_cache_hits_total": "hits",
        "vllm:prompt_tokens_total": "prompt",
    }
    for line in text.splitlines():
        name = names.get(line.split("{")[0])
        if name is not None:
            found[name] += float(line.rsplit(" ", 1)[1])
    # A server without a cache counts no queries; its prompts are as long.
    return int(found["queries"] or found["prompt"]), int(found["hits"])


def _busy_s(contender: Contender) -> float:
    """Sum up the processor time of a server's processes so far: less than the clock's where others use the machine."""
    for process in psutil.process_iter(["cmdline"]):
        # The server itself, which others are the children of; those have other command lines.
        if (words := process.info["cmdline"] or []) and str(contender.port) in words and "serve" in words:
            family = [process, *process.children(recursive=True)]
            return sum(sum(each.cpu_times()[:2]) for each in family)
    raise RuntimeError(f"{contender.name} does not run")


def _template() -> PromptTemplate:
    return load_template(TEMPLATE)
