"""Lines of POST /vqa/batch, as they come back, and what is told once a batch is done."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from services.common.http.openapi import ProblemDetails
from services.common.http.openapi.quantities import Count, Positive
from services.gateway.schemas import VqaReply

MAX_LINE_ID = 200
"""Most characters of a line's id."""


class BatchLineReply(BaseModel):
    """The reply to one line of a batch: an answer or a problem, never both.

    Attributes:
        line: Number of the line, from 1.
        id: The line's own id; None where it could not be read.
        status: The status that the question would have had at POST /vqa.
        replayed: Whether the reply is the recorded one, of an earlier time that the line was sent; texts that are not
            kept are missing then.
        reply: The answer, as POST /vqa gives it; None without one.
        problem: Why there is none.
        retry_after: Seconds after which to send the line again, where that may help.
    """

    line: Positive
    id: str | None
    status: Positive
    replayed: bool = False
    reply: VqaReply | None = None
    problem: ProblemDetails | None = None
    retry_after: Positive | None = None


class BatchCounts(BaseModel):
    """The lines of a batch, counted.

    Attributes:
        lines: All of them.
        answered: Those whose decision is to answer.
        deferred: Those that are left to a person.
        failed: Those without a reply.
        replayed: Those among answered and deferred that had their reply before.
    """

    lines: Count = 0
    answered: Count = 0
    deferred: Count = 0
    failed: Count = 0
    replayed: Count = 0


class BatchSummary(BaseModel):
    """The last line of a batch's reply. Without it the reply is not whole.

    Attributes:
        batch: Id of the batch.
        complete: Whether every line that was sent has been dealt with; if not, `problem` says why.
        counts: How many lines there were, and what became of them.
        problem: Why the gateway read no further, where it did not.
    """

    batch: str
    complete: bool
    counts: BatchCounts
    problem: ProblemDetails | None = None


class BatchEnd(BaseModel):
    """The end of a batch's reply.

    Attributes:
        summary: The summary.
    """

    summary: BatchSummary


class BatchDone(BaseModel):
    """The body of the webhook that is called when a batch is done.

    Attributes:
        type: Always "batch.done".
        timestamp: When it was done (RFC 3339).
        data: The summary: id and counts, and nothing of what was asked or answered.
    """

    type: Literal["batch.done"] = "batch.done"
    timestamp: str
    data: BatchSummary
