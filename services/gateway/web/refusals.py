"""Problem documents for what is not answered: the one place where the gateway's faults become replies."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from prompt4trust.errors import PictureError, PictureFault, TransportError
from services.common.clients.errors import PictureEgressRefusedError
from services.common.http.problems import Problem
from services.gateway.errors import BusyError, ShedReason
from services.gateway.intake.idempotency import HEADER
from services.gateway.records.errors import OtherQuestionError, ReviewedError
from services.gateway.settings import GatewaySettings

_log = structlog.get_logger(__name__)

_IMAGE_STATUS: Mapping[PictureFault, int] = {
    "bad-encoding": 422,
    "empty-image": 422,
    "unsupported-image": 415,
    "image-type-mismatch": 415,
    "image-too-large": 413,
    "image-too-small": 422,
    "image-too-narrow": 422,
    "image-too-complex": 422,
    "animated-image": 422,
    "damaged-image": 422,
    "not-a-picture": 415,
    "unknown-frame": 422,
    "unknown-window": 422,
    "burned-in-annotation": 422,
}


REFUSED = (
    BusyError,
    PictureEgressRefusedError,
    OtherQuestionError,
    PictureError,
    ReviewedError,
    TimeoutError,
    TransportError,
)
"""Reasons for which the pipeline gives no answer."""


def problem_of(error: Exception, settings: GatewaySettings) -> Problem:
    """Turn a reason for which there is no answer into the problem document that a client gets.

    Args:
        error: One of REFUSED.
        settings: The gateway's settings.
    """
    match error:
        case PictureError():
            return image_problem(error)
        case TransportError():
            _log.warning("a model could not be asked", model=error.service, reason=error.detail, status=error.status)
            return transport_problem(error, settings.retry_after_s)
        case PictureEgressRefusedError():
            _log.error("pictures may not leave", reason=str(error))
            return egress_problem()
        case OtherQuestionError():
            return other_question_problem()
        case ReviewedError():
            return reviewed_problem()
        case BusyError():
            return busy_problem(error, settings.retry_after_s)
        case _:
            return late_problem(settings.deadline_s)


def image_problem(error: PictureError) -> Problem:
    """Refuse a picture."""
    return Problem(_IMAGE_STATUS[error.fault], error.fault, error.detail)


_BUSY: Mapping[ShedReason, str] = {
    "full": "The gateway is answering as many questions as it can: try again later.",
    "wait": "More is asked than the models answer, and this question would wait for too long: try again later.",
    "deadline": "There would be no answer within the time that this request allows: try again later, or allow more.",
}


def busy_problem(error: BusyError, retry_after_s: float) -> Problem:
    """Refuse for want of room.

    Args:
        error: Why there is none.
        retry_after_s: When to come back, where the error does not say.
    """
    later = error.retry_after if error.retry_after is not None else retry_after_s
    return Problem(503, "busy", _BUSY[error.reason], retry_after=later)


def late_problem(deadline_s: float) -> Problem:
    """Refuse for want of time."""
    return Problem(
        504,
        "deadline-exceeded",
        f"There was no answer within {deadline_s:g} seconds, or within what the request allows: try again later.",
    )


def egress_problem() -> Problem:
    """Refuse because pictures may not leave for where the model is."""
    return Problem(
        503, "image-egress-off", "This gateway may not send pictures to its model: its operator must allow that."
    )


def transport_problem(error: TransportError, retry_after_s: float) -> Problem:
    """Refuse for a model's sake: 503 if it is away or busy, 504 if it is late, 502 if it is broken.

    Args:
        error: What happened; its detail is for the log and not for the client.
        retry_after_s: When to come back, where the model's server does not say.
    """
    later = error.retry_after if error.retry_after is not None else retry_after_s
    name = f"The {error.service} model"
    if error.timed_out:
        return Problem(504, f"{error.service}-timeout", f"{name} did not reply in time: try again later.")
    if error.status is None:
        return Problem(
            503, f"{error.service}-unavailable", f"{name} cannot be reached: try again later.", retry_after=later
        )
    if error.status in (429, 503, 529):
        return Problem(503, f"{error.service}-busy", f"{name} is busy or starting: try again later.", retry_after=later)
    return Problem(
        502,
        f"{error.service}-failed",
        f"{name} replied with an error or with something that is no answer: try again, or tell the operator.",
    )


def records_away_problem(retry_after_s: float) -> Problem:
    """Refuse because the records cannot be reached."""
    return Problem(
        503,
        "records-unavailable",
        "The database of records cannot be reached: try again later.",
        retry_after=retry_after_s,
    )


def record_refused_problem() -> Problem:
    """Refuse a value that the database does not take."""
    return Problem(422, "invalid-request", "The database does not take such a value.")


def other_question_problem() -> Problem:
    """Refuse a key that was used for another question."""
    return Problem(
        422,
        "idempotency-key-reused",
        f"Another picture, question, options or groups were sent under this {HEADER}: a new question needs a new key.",
    )


def reviewed_problem() -> Problem:
    """Refuse to answer anew under a key whose answer was reviewed."""
    return Problem(
        409,
        "already-reviewed",
        f"Somebody has said whether the answer under this {HEADER} was right, so that it stands as it was given: ask "
        "again under a new key.",
    )
