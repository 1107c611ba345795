"""Errors of the client.

ClientError                         whatever goes wrong; the others are kinds of it
├── UnusablePictureError            what was given is no picture that can be sent
├── GatewayUnreachableError         there was no reply: the gateway is away, or the connection broke
├── DeadlineError                   there was no reply within the deadline
├── NotAGatewayError                a reply came that no gateway gives: the address is probably another service's
└── ProblemError                    the gateway refused, and says why (RFC 9457)
    ├── InvalidQuestionError        400, 413, 415, 422: the question or its picture is not taken; `errors` names fields
    ├── RefusedKeyError             401, 403: no API key, or one that may not
    ├── UnknownRecordError          404: there is no such record
    ├── ConflictError               409: what was asked contradicts what is recorded
    ├── BusyGatewayError            429, 503: too much is asked at the moment; tried again within the deadline
    └── FailedGatewayError          5xx: gateway or model failed; 502 and 504 are tried again within the deadline

All of a gateway's reasons are in `ProblemError.kind`, such as "unsupported-image": switch on that, show `detail`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PREFIX = "urn:trustvqa:problem:"
UNCLEAR_OPTIONS: Final = "unclear-options"
"""Kind of the refusal that lines of a question may be its options or not: with the options [] it is an open one."""


class ClientError(Exception):
    """Something went wrong; the message is for a person."""


class UnusablePictureError(ClientError, ValueError):
    """The given value is no picture that can be sent."""


class GatewayUnreachableError(ClientError):
    """There was no reply: the gateway is away, or the connection broke.

    Args:
        said: What the connection came to, such as "connection refused".
        url: The gateway's address, which the message names; empty where `said` is a whole message.

    Attributes:
        said: The same.
    """

    def __init__(self, said: str, url: str = "") -> None:
        self.said = said
        super().__init__(f"{url} cannot be reached ({said})" if url else said)


class DeadlineError(ClientError, TimeoutError):
    """There was no reply within the deadline."""


class NotAGatewayError(ClientError):
    """A reply came that no gateway gives."""


@dataclass(frozen=True, slots=True)
class WrongField:
    """A field that the gateway does not take.

    Attributes:
        field: Its name, or a path to it with dots.
        message: What is wrong with it.
    """

    field: str
    message: str


class ProblemError(ClientError):
    """The gateway refused.

    Attributes:
        status: The HTTP status, or the one of a batch's line.
        kind: The problem's stable name, such as "unsupported-image"; empty where the reply was no problem document.
        title: A short summary.
        detail: What is wrong and what to change, for a person.
        errors: The fields that are wrong, where some are.
        scope: The scope that the API key lacks, where that is why.
        request_id: The id under which the gateway logged it, or None.
        retry_after: Seconds after which to try again, where the gateway says so.
    """

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.kind = str(document.get("type", "")).removeprefix(_PREFIX)
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail") or self.title or f"status {status}")
        self.errors: Sequence[WrongField] = tuple(
            WrongField(str(each.get("field", "")), str(each.get("message", "")))
            for each in document.get("errors") or ()
            if isinstance(each, dict)
        )
        scope, request_id = document.get("scope"), document.get("request_id")
        self.scope = scope if isinstance(scope, str) else None
        self.request_id = request_id if isinstance(request_id, str) else None
        self.retry_after = retry_after
        super().__init__(self.detail)


class InvalidQuestionError(ProblemError):
    """The question or its picture is not taken; asking again changes nothing."""


class RefusedKeyError(ProblemError):
    """No API key was shown, or one that may not do this."""


class UnknownRecordError(ProblemError):
    """There is no such record, or this gateway keeps none."""


class ConflictError(ProblemError):
    """The request contradicts what is recorded."""


class BusyGatewayError(ProblemError):
    """Too much is asked of the gateway, or of its model, at the moment."""


class FailedGatewayError(ProblemError):
    """The gateway or a model failed."""


def problem_error(status: int, document: Any, retry_after: float | None = None) -> ProblemError:
    """Make the error of a refusal.

    Args:
        status: Its status.
        document: The problem document, or whatever came instead.
        retry_after: Seconds after which to try again, or None.
    """
    kinds: Mapping[int, type[ProblemError]] = {
        400: InvalidQuestionError,
        401: RefusedKeyError,
        403: RefusedKeyError,
        404: UnknownRecordError,
        409: ConflictError,
        413: InvalidQuestionError,
        415: InvalidQuestionError,
        422: InvalidQuestionError,
        429: BusyGatewayError,
        503: BusyGatewayError,
    }
    kind = kinds.get(status, FailedGatewayError if status >= 500 else ProblemError)
    return kind(status, document if isinstance(document, dict) else {}, retry_after)
