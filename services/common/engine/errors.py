"""Errors of an engine.

EngineError                   a request could not be served
├── InvalidRequestError       the request itself is at fault
│   └── ContextOverflowError  prompt and completion are longer than the context
├── EngineBusyError           the queue is full
├── DeadlineExceededError     not done in time
└── EngineUnavailableError    the engine has not started, has failed or is shutting down
"""

from __future__ import annotations

from typing import Final

CONTEXT_OVERFLOW: Final = "context_length_exceeded"
"""OpenAI's code for it."""


class EngineError(Exception):
    """A request could not be served; the message is fit for the client."""


class InvalidRequestError(EngineError):
    """The request itself is at fault.

    Attributes:
        param: Name of the offending parameter in OpenAI's terms, where there is one.
        code: Stable machine-readable reason, where there is one.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class ContextOverflowError(InvalidRequestError):
    """Prompt and completion do not fit into the model's context."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="messages", code=CONTEXT_OVERFLOW)


class EngineBusyError(EngineError):
    """The queue is full.

    Attributes:
        retry_after: Seconds after which there is likely to be room.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("The model is busy and its queue is full; try again later.")
        self.retry_after = retry_after


class DeadlineExceededError(EngineError):
    """The request was not done in time."""

    def __init__(self) -> None:
        super().__init__("The request was not finished within its time limit.")


class EngineUnavailableError(EngineError):
    """The engine has not started, has failed or is shutting down."""
