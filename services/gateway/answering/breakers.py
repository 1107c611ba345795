"""Both models behind circuit breakers: one that keeps failing is left alone for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prompt4trust.models import Downstream, Generation, Guidance, Policy, Sampling
from prompt4trust.prompts import Message
from services.common.clients.breaker import CircuitBreaker


@dataclass(frozen=True, slots=True)
class GuardedPolicy:
    """A policy behind a breaker; implements the Policy protocol.

    Attributes:
        policy: The policy.
        breaker: Its breaker. While that is open questions are answered without guidance, and say so.
    """

    policy: Policy
    breaker: CircuitBreaker

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        """Write one guidance prompt; raise TransportError where that is not possible, or not tried."""
        with self.breaker.call():
            return await self.policy.guide(question, options, seed=seed)


@dataclass(frozen=True, slots=True)
class GuardedDownstream:
    """A downstream model behind a breaker; implements the Downstream protocol.

    Attributes:
        downstream: The model.
        breaker: Its breaker. While that is open questions are refused.
    """

    downstream: Downstream
    breaker: CircuitBreaker

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        """Generate n completions; raise TransportError where that is not possible, or not tried."""
        with self.breaker.call():
            return await self.downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs)
