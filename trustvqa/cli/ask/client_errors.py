"""The client's errors, in words for a person at a terminal."""

from __future__ import annotations

from trustvqa.cli.api_key import key_refusal
from trustvqa.client.errors import (
    UNCLEAR_OPTIONS,
    ClientError,
    DeadlineError,
    GatewayUnreachableError,
    NotAGatewayError,
    ProblemError,
)


def in_words(error: ClientError, gateway: str) -> str:
    """Explain what went wrong, and what to do about it.

    Args:
        error: The error.
        gateway: The gateway's address.
    """
    match error:
        case ProblemError(kind=kind) if kind == UNCLEAR_OPTIONS:
            return f"{error.detail} By this command: each option with -o, or --open where they are none."
        case ProblemError():
            return key_refusal(error) or error.detail
        case DeadlineError():
            return str(error)
        case GatewayUnreachableError():
            return f"{gateway} cannot be reached ({error.said}): is it running? `make up` starts it"
        case NotAGatewayError():
            return f"{gateway} does not speak as a TrustVQA gateway does"
        case _:
            return str(error)
