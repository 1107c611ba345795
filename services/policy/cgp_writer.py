"""The writer of guidance prompts: version, cache, room and deadline of each request."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from prompt4trust.models import Cost, Generation, Sampling, TransportError
from prompt4trust.prompts import guide_messages
from services.common.engine.errors import EngineError
from services.common.http.problems import Problem
from services.policy.errors import PolicyVersionError
from services.policy.metrics import CgpMetrics
from services.policy.problems import busy_problem, deadline_problem, failure_problem, version_problem
from services.policy.schemas import CgpReply, CgpRequest, GuidancePrompt, TokenUsage
from services.policy.settings import PolicySettings
from services.policy.shared_guidance import GuidanceKey, SharedGuidance
from services.policy.shared_results import SharedResults
from services.policy.versions.policy_versions import PolicyVersions


class CgpWriter:
    """Writes guidance prompts.

    Args:
        versions: Policy versions.
        settings: Limits and decoding defaults.
        metrics: Counts of prompts and tokens.
        shared: Greedy guidance of other policy services; None where there is nothing to share it by.
    """

    def __init__(
        self,
        versions: PolicyVersions,
        settings: PolicySettings,
        metrics: CgpMetrics,
        shared: SharedGuidance | None = None,
    ) -> None:
        self._versions = versions
        self._settings = settings
        self._metrics = metrics
        self._shared = shared
        self._greedy: SharedResults[tuple[Generation, bool]] = SharedResults(
            settings.cache_entries, settings.cache_ttl_s
        )
        self._in_flight = 0

    async def write(self, request: CgpRequest) -> CgpReply:
        """Write a request's prompts within the deadline.

        Args:
            request: A valid request.

        Returns:
            The prompts and the version that wrote them.

        Raises:
            Problem: 404 unknown version, 409 a version that cannot be used, 422 too large an n or too long a
                question, 429 or 503 busy, 500 or 502 failed, 504 too late.
        """
        if request.n > self._settings.max_n:
            raise Problem(422, "invalid-request", f"n may be at most {self._settings.max_n}.")
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                version = await self._versions.resolve(request.version)
                with self._versions.pin(version):
                    generation, cached = await self._generate(request, version)
        except TimeoutError:
            raise deadline_problem() from None
        except (EngineError, TransportError) as error:
            raise failure_problem(error) from error
        except PolicyVersionError as error:
            raise version_problem(error) from error
        return self._reply(request, version, generation, cached=cached)

    async def _generate(self, request: CgpRequest, version: str) -> tuple[Generation, bool]:
        if request.temperature > 0:
            sampling = self._sampling(temperature=request.temperature, seed=request.seed)
            return await self._ask(request, version, request.n, sampling), False
        # Letters are part of the key: {"B": ..., "A": ...} is another prompt than {"A": ..., "B": ...}.
        key = (version, request.question, tuple(request.options.items()))
        (generation, was_found), is_shared = await self._greedy.get(key, lambda: self._greedy_text(request, version))
        return generation, was_found or is_shared

    async def _greedy_text(self, request: CgpRequest, version: str) -> tuple[Generation, bool]:
        """Find guidance that another service wrote, or write it; return it and whether it was found."""
        shared, sampling = self._shared, self._sampling()
        if shared is None:
            return await self._ask(request, version, 1, sampling), False
        async with self._versions.lease(version) as policy:
            model, template = policy.model, policy.template
        asked = GuidanceKey(version, model, template, request.question, request.options, self._settings.max_tokens)
        if (found := await shared.find(asked)) is not None:
            return Generation([found], Cost()), True
        generation = await self._ask(request, version, 1, sampling)
        if generation.completions:
            await shared.keep(asked, generation.completions[0])
        return generation, False

    async def _ask(self, request: CgpRequest, version: str, n: int, sampling: Sampling) -> Generation:
        with self._room_for(n):
            async with self._versions.lease(version) as policy:
                messages = guide_messages(policy.template, request.question, request.options)
                return await policy.generator.generate(messages, n, sampling)

    def _sampling(self, *, temperature: float = 0.0, seed: int | None = None) -> Sampling:
        settings = self._settings
        if temperature == 0:
            return Sampling(max_tokens=settings.max_tokens)
        return Sampling(temperature, settings.top_p, settings.top_k, settings.max_tokens, seed)

    @contextmanager
    def _room_for(self, n: int) -> Iterator[None]:
        if self._in_flight + n > self._settings.max_in_flight:
            raise busy_problem()
        self._in_flight += n
        self._metrics.writing.inc(n)
        try:
            yield
        finally:
            self._in_flight -= n
            self._metrics.writing.dec(n)

    def _reply(self, request: CgpRequest, version: str, generation: Generation, *, cached: bool) -> CgpReply:
        prompts = [
            GuidancePrompt(text=made.text.strip(), finish_reason=made.finish_reason) for made in generation.completions
        ]
        if len(prompts) < request.n:
            prompts *= request.n  # greedy: one was written, all would be alike
        read, written = (0, 0) if cached else (generation.cost.prompt_tokens, generation.cost.completion_tokens)
        self._metrics.prompts.labels(version, "shared" if cached else "written").inc(request.n)
        self._metrics.tokens.labels(version, "read").inc(read)
        self._metrics.tokens.labels(version, "written").inc(written)
        return CgpReply(
            id=f"cgp-{uuid.uuid4().hex}",
            version=version,
            prompts=prompts,
            usage=TokenUsage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written),
            cached=cached,
        )
