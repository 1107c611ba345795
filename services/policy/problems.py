"""Problem documents for what keeps a policy from writing."""

from __future__ import annotations

from prompt4trust.models import TransportError
from services.common.engine.errors import (
    ContextOverflowError,
    DeadlineExceededError,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)
from services.common.http.problems import Problem
from services.policy.errors import PolicyVersionError, UnknownVersionError, UnusableVersionError

_BUSY_RETRY_S = 1.0
_DOWN_RETRY_S = 5.0


def version_problem(error: PolicyVersionError) -> Problem:
    """Describe why a version cannot be had: 404, 409 or 503."""
    if isinstance(error, UnknownVersionError):
        return Problem(404, "unknown-policy-version", f"{_sentence(error)} GET /v1/policies lists those there are.")
    if isinstance(error, UnusableVersionError):
        return Problem(409, "policy-version-unusable", f"This policy version cannot be used: {error}.")
    return Problem(503, "no-active-policy", f"No policy version is live: {error}.", retry_after=_DOWN_RETRY_S)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def failure_problem(error: EngineError | TransportError) -> Problem:
    """Describe why a policy could not write.

    Args:
        error: An error that a generator raised.

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
    """Describe that there is no room for another request."""
    return Problem(
        429, "busy", "The policy is writing as many prompts as it can; try again shortly.", retry_after=retry_after
    )


def deadline_problem() -> Problem:
    """Describe that the deadline passed."""
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
