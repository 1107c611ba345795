"""The engine's errors as OpenAI's."""

from __future__ import annotations

from services.common.engine.errors import (
    CONTEXT_OVERFLOW,
    DeadlineExceededError,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)
from services.common.openai.errors import OpenAIError

_UNAVAILABLE_RETRY_S = 5.0


def from_engine(error: EngineError) -> OpenAIError:
    """Translate an engine's error."""
    message = str(error)
    if isinstance(error, InvalidRequestError):
        # Anybody's long question makes a gateway send one: its others must not be slowed down for that.
        is_excused = error.code == CONTEXT_OVERFLOW
        return OpenAIError(400, message, param=error.param, code=error.code, is_excused=is_excused)
    if isinstance(error, EngineBusyError):
        return OpenAIError(
            429, message, kind="rate_limit_error", code="rate_limit_exceeded", retry_after=error.retry_after
        )
    if isinstance(error, DeadlineExceededError):
        return OpenAIError(504, message, kind="server_error", code="deadline_exceeded")
    if isinstance(error, EngineUnavailableError):
        return OpenAIError(
            503, message, kind="server_error", code="model_unavailable", retry_after=_UNAVAILABLE_RETRY_S
        )
    return OpenAIError(500, message, kind="server_error", code="generation_failed")
