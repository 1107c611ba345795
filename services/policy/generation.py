"""Text from a policy model, wherever it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from prompt4trust.models import Completion, Cost, Generation, Sampling, TransportError
from prompt4trust.prompts import Message
from services.common.engine.base import (
    ContextOverflowError,
    DeadlineExceededError,
    Engine,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    GenerationRequest,
    InvalidRequestError,
    SamplingParams,
)
from services.common.http.problems import Problem

_BUSY_RETRY_S = 1.0
_DOWN_RETRY_S = 5.0


class Generator(Protocol):
    """A policy model that is ready to write."""

    async def generate(self, messages: Sequence[Message], n: int, sampling: Sampling) -> Generation:
        """Write n continuations of a chat.

        Raises:
            EngineError: If an in-process model could not.
            TransportError: If a server could not.
        """
        ...

    async def trouble(self) -> str | None:
        """Say why it cannot be asked just now, or None; one line for an operator."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it may be asked again some time: False where only a new process helps."""
        ...

    async def aclose(self) -> None:
        """Free what it holds; nothing is in flight any more."""
        ...


class WatchedEngine(Engine, Protocol):
    """An engine that knows whether it runs."""

    @property
    def healthy(self) -> bool:
        """Whether requests are served."""
        ...


class LocalGenerator:
    """A policy model in this process.

    Args:
        engine: The running engine.
        stop: Stops it and frees the model; called when the generator is closed.
    """

    def __init__(self, engine: WatchedEngine, stop: Callable[[], Awaitable[None]]) -> None:
        self._engine = engine
        self._stop = stop

    async def generate(self, messages: Sequence[Message], n: int, sampling: Sampling) -> Generation:
        """Write n continuations of a chat (see Generator)."""
        result = await self._engine.complete(
            GenerationRequest(
                messages=messages,
                n=n,
                sampling=SamplingParams(
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    top_k=sampling.top_k,
                    max_tokens=sampling.max_tokens,
                    seed=sampling.seed,
                ),
            )
        )
        return Generation(
            [Completion(choice.text, choice.finish_reason) for choice in result.choices],
            Cost(1, result.usage.prompt_tokens, result.usage.completion_tokens),
        )

    async def trouble(self) -> str | None:
        """Say that the engine's thread has ended, if so."""
        return None if self._engine.healthy else "its engine has stopped"

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs: it is not started a second time."""
        return self._engine.healthy

    async def aclose(self) -> None:
        """Stop the engine."""
        await self._stop()


def failure_problem(error: EngineError | TransportError) -> Problem:
    """Say as a problem document why a policy could not write.

    Args:
        error: What a generator raised.

    Returns:
        422 for a prompt that does not fit the model, 429 or 503 with Retry-After where trying again may help, 504 for
        a passed deadline, otherwise 502 for a server's failure and 500 for our own.
    """
    if isinstance(error, TransportError):
        return _upstream_problem(error)
    if isinstance(error, ContextOverflowError):
        return Problem(
            422, "question-too-long", "The question and its options do not fit into the policy's context; shorten them."
        )
    if isinstance(error, InvalidRequestError):
        return Problem(422, "invalid-request", str(error))
    if isinstance(error, EngineBusyError):
        return busy_problem(error.retry_after)
    if isinstance(error, DeadlineExceededError):
        return deadline_problem()
    if isinstance(error, EngineUnavailableError):
        return Problem(
            503, "policy-unavailable", "The policy's engine is not running just now.", retry_after=_DOWN_RETRY_S
        )
    return Problem(500, "generation-failed", "The policy could not write a guidance prompt for this question.")


def busy_problem(retry_after: float = _BUSY_RETRY_S) -> Problem:
    """Say that there is no room for another request."""
    return Problem(
        429, "busy", "The policy is writing as many prompts as it can; try again shortly.", retry_after=retry_after
    )


def deadline_problem() -> Problem:
    """Say that the deadline passed."""
    return Problem(504, "deadline-exceeded", "The policy did not answer within its deadline.")


def _upstream_problem(error: TransportError) -> Problem:
    if error.timed_out:
        return deadline_problem()
    if error.status in (429, 503):
        return Problem(
            503,
            "policy-unavailable",
            "The policy's model server is busy or not ready; try again shortly.",
            retry_after=_DOWN_RETRY_S if error.retry_after is None else error.retry_after,
        )
    if error.status is None:
        return Problem(
            503, "policy-unavailable", "The policy's model server cannot be reached.", retry_after=_DOWN_RETRY_S
        )
    return Problem(502, "upstream-failed", "The policy's model server gave no usable reply.")
