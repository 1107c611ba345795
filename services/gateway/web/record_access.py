"""The common part of all routes of records: whether there are any, who may review, how errors are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from services.common.auth import Right
from services.common.http.problems import Problem
from services.gateway.records.errors import (
    FeedbackFullError,
    FeedbackRefusedError,
    RecordRefusedError,
    RecordsAwayError,
    UnknownAnswerError,
)
from services.gateway.records.records import Records
from services.gateway.web.local_user import may
from services.gateway.web.refusals import record_refused_problem, records_away_problem
from services.gateway.wiring import Gateway


def records_of(gateway: Gateway) -> Records:
    """Return the records.

    Raises:
        Problem: 404 "records-off" if the gateway keeps none.
    """
    if gateway.records is None:
        raise Problem(404, "records-off", "This gateway keeps no records, so that there can be no reviews either.")
    return gateway.records


def require_reviewer(request: Request) -> None:
    """Let pass who may say what was right: by a key or token, or without keys by sitting at this machine.

    Reviews can raise an alarm that makes everything defer.

    Raises:
        Problem: 403 "feedback-closed" if the request is none of these.
    """
    if not may(request, Right.FEEDBACK):
        raise Problem(
            403,
            "feedback-closed",
            "Without keys, reviews are taken from this machine alone: whoever may review elsewhere needs a key.",
        )


@contextmanager
def told_as_problems(gateway: Gateway) -> Iterator[None]:
    """Turn errors of the records into problem documents."""
    try:
        yield
    except UnknownAnswerError:
        raise Problem(
            404,
            "unknown-answer",
            "There is no record of such an answer: its reply said that it was not recorded, its time to be kept is "
            "over, or there never was one.",
        ) from None
    except FeedbackRefusedError as error:
        raise Problem(422, "feedback-refused", str(error)) from None
    except FeedbackFullError:
        raise Problem(409, "feedback-full", "An answer has as much feedback as is kept of one.") from None
    except RecordRefusedError:
        raise record_refused_problem() from None
    except RecordsAwayError:
        raise records_away_problem(gateway.settings.retry_after_s) from None
