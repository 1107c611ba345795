"""The downstream multimodal LLM behind any OpenAI-compatible chat completions API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import structlog

from prompt4trust.models import Completion, Cost, Generation, Omission, Sampling, TransportError
from prompt4trust.prompts import Message
from services.common.clients.chat_reply import SERVICE, read_reply
from services.common.clients.chat_request import Change, ChatRequest
from services.common.clients.errors import ParameterRefusedError, RefusedError
from services.common.clients.http_pool import HttpPool
from services.common.clients.picture_egress import PictureEgress
from services.common.clients.refusals import Attempts, RefusalMemory
from services.common.clients.retries import RetrySettings
from services.common.clients.transport import post_json

REFUSAL_PAUSE_S = 600.0
_SINGLES_AT_ONCE = 8
_HARMLESS = frozenset[Omission]({"seed"})
_log = structlog.get_logger(__name__)


def _ignore(_: Change) -> None:
    """Count nothing."""


class DownstreamClient:
    """Asks the downstream model; implements prompt4trust's Downstream protocol.

    Servers differ in what they take. Where one refuses a request and names a part of it, it is asked again without that
    part, or with it in another form, within the same deadline; what it needed is remembered for a while. The generation
    names what it is `without`. A server that returns fewer completions than it was asked for is asked for the others
    one by one.

    Args:
        http: Pool whose base URL ends in /v1; the caller closes it.
        model: Served model name.
        retry: Deadline and retries of one request.
        egress_hosts: Hosts beyond this machine and dotless (internal) names that may receive pictures.
        vendor_parameters: Whether the server takes parameters beyond OpenAI's own (top_k), as vLLM and the embedded
            engine do.
        exact: Whether replies without what was asked for are errors, a seed aside: for evidence, which holds for the
            decoding and the wording that it was made with.
        refusal_pause_s: How long a refusal is remembered.
        refused: Called with each change that a refusal led to.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        http: HttpPool,
        model: str,
        retry: RetrySettings,
        *,
        egress_hosts: frozenset[str] = frozenset(),
        vendor_parameters: bool = True,
        exact: bool = True,
        refusal_pause_s: float = REFUSAL_PAUSE_S,
        refused: Callable[[Change], None] = _ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self.model = model
        self._retry = retry
        self._vendor_parameters = vendor_parameters
        self._exact = exact
        self._refused = refused
        self._memory = RefusalMemory(refusal_pause_s, clock)
        self._egress = PictureEgress(http.host, egress_hosts)

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        """Generate n completions of one prompt.

        Args:
            messages: Chat messages in OpenAI's form.
            sampling: How to decode.
            n: Number of completions, at least 1.
            top_logprobs: Alternatives to report for each token, or None for no log-probabilities.

        Returns:
            The completions, what they cost, and what they are without.

        Raises:
            ParameterRefusedError: If the client is exact, and the server would answer another request only.
            TransportError: If the model could not be asked or its reply has no usable choices.
            PictureEgressRefusedError: If a picture would leave for a host that is not switched on.
        """
        self._egress.check(messages)
        request = ChatRequest(self.model, messages, sampling, n, top_logprobs, self._vendor_parameters)
        give_up_at = asyncio.get_running_loop().time() + self._retry.deadline_s
        if n == 1 or "n" not in self._memory.needed():
            generation = await self._exchange(request, give_up_at)
        else:
            generation = Generation([], Cost())
        missing = range(len(generation.completions), n)
        return _joined([generation, *await self._singly(request, missing, give_up_at)]) if missing else generation

    async def _exchange(self, request: ChatRequest, give_up_at: float) -> Generation:
        """Ask until the server takes the request in some form; each part is changed once at most."""
        before = self._memory.needed()
        attempts = Attempts(request, before)
        while True:
            try:
                generation = await self._post(request, attempts.made, give_up_at)
                break
            except RefusedError as error:
                changes = attempts.next_changes(error)
                if not changes or asyncio.get_running_loop().time() >= give_up_at:
                    raise
                if self._exact and (lost := request.omissions(changes) - _HARMLESS):
                    raise ParameterRefusedError(SERVICE, min(lost), error) from error
        # Only now: an error that quoted a question with such a word in it would else count as a refusal.
        fewer = frozenset[Change]({"n"}) if len(generation.completions) < request.n else frozenset[Change]()
        learned = attempts.made | fewer
        self._memory.learn(before, learned)
        for change in sorted(learned ^ before):
            self._refused(change)
            _log.warning("the server does not take a part of requests", part=change)
        return generation

    async def _post(self, request: ChatRequest, made: Collection[Change], give_up_at: float) -> Generation:
        within_s = give_up_at - asyncio.get_running_loop().time()
        if within_s <= 0:
            raise TransportError(SERVICE, f"no reply within {self._retry.deadline_s:g} s", timed_out=True)
        started = time.perf_counter()
        retry = replace(self._retry, deadline_s=within_s)
        reply = await post_json(self._http, SERVICE, "chat/completions", request.body(made), retry)
        seconds = time.perf_counter() - started
        completions, cost = read_reply(reply, seconds, max_tokens=request.sampling.max_tokens)
        if len(completions) > request.n:
            raise TransportError(SERVICE, f"it returned {len(completions)} choices instead of {request.n}", status=200)
        return Generation(completions, cost, request.omissions(made))

    async def _singly(self, request: ChatRequest, places: range, give_up_at: float) -> list[Generation]:
        room = asyncio.Semaphore(_SINGLES_AT_ONCE)

        async def one(place: int) -> Generation:
            async with room:
                return await self._exchange(request.single(place), give_up_at)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(place)) for place in places]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None  # it cancelled the others
        return [task.result() for task in tasks]


def _joined(generations: Sequence[Generation]) -> Generation:
    completions: list[Completion] = [each for generation in generations for each in generation.completions]
    cost = sum((generation.cost for generation in generations), Cost())
    return Generation(completions, cost, frozenset[Omission]().union(*(each.without for each in generations)))
