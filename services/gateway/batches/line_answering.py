"""One line of a batch, from its bytes to the line of the reply."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import anyio
import structlog
from fastapi.exceptions import RequestValidationError

from services.common.http.openapi import ProblemDetails
from services.common.http.problems import Problem, invalid_request
from services.gateway.batches.line_reader import Line
from services.gateway.batches.schemas import MAX_LINE_ID, BatchLineReply
from services.gateway.intake.idempotency import line_id_of
from services.gateway.intake.json_body import load_object, refuse
from services.gateway.intake.picture_cut import SMALL_BODY
from services.gateway.intake.query import LineOrigin
from services.gateway.intake.submission import Submission, check_image_size, submission_of
from services.gateway.web.refusals import REFUSED, problem_of
from services.gateway.wiring import Gateway

_NOT_AN_OBJECT: Final = "must be an object with the fields id, image, question and options"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BatchOrigin:
    """The batch that lines are of.

    Attributes:
        client: Whose it is, as the gateway's bounds know it.
        caller: Id of the key that was shown; empty without one.
        key: The batch's Idempotency-Key; None without one.
        request_id: Id of its HTTP request, or None.
    """

    client: str
    caller: str
    key: str | None
    request_id: str | None

    def line(self, line_id: str) -> LineOrigin:
        """Give what the answer to a line depends on."""
        answer_id = None if self.key is None else line_id_of(self.key, line_id, self.caller)
        # Under a name of its own: a batch takes turns with what its client asks now, as if it were another's.
        return LineOrigin(f"{self.client} (batch)", self.request_id, answer_id, self.caller or None)


@dataclass(frozen=True, slots=True)
class LineAnswering:
    """Answers lines.

    Attributes:
        gateway: Where they are answered.
        batch: The batch that they are of.
    """

    gateway: Gateway
    batch: BatchOrigin

    async def answer(self, line: Line, taken: Callable[[], None]) -> BatchLineReply:
        """Answer a line.

        Args:
            line: The line.
            taken: Told, perhaps more than once, when its bytes are no longer held.

        Returns:
            The line of the reply: whatever goes wrong with one line is told in its place, and ends no other.
        """
        line_id: str | None = None
        settings = self.gateway.settings
        try:
            if line.body is None:
                bound = f"A line may have at most {settings.max_body_bytes} bytes."
                raise Problem(413, "line-too-long", bound)
            if len(line.body) <= SMALL_BODY:
                fields = load_object(line.body, _NOT_AN_OBJECT)
            else:
                fields = await anyio.to_thread.run_sync(load_object, line.body, _NOT_AN_OBJECT)
            line_id = _take_id(fields)
            submission = await self._submission(fields, len(line.body))
            del fields
            return await self._reply(line.number, line_id, submission, taken)
        except Problem as error:
            return self._problem(line.number, line_id, error)
        except RequestValidationError as error:
            return self._problem(line.number, line_id, invalid_request(error))
        except REFUSED as error:
            return self._problem(line.number, line_id, problem_of(error, settings))
        except Exception as error:  # noqa: BLE001, RUF100 - one line's fault is not the batch's
            _log.error("unforeseen error in a line of a batch", exc_info=error)
            detail = "Something went wrong here; it has been logged under the request's id."
            return self._problem(line.number, line_id, Problem(500, "internal-error", detail))

    async def _submission(self, fields: dict[str, Any], size: int) -> Submission:
        methods = self.gateway.settings.methods
        if size <= SMALL_BODY:
            submission = submission_of(fields, methods)
        else:
            submission = await anyio.to_thread.run_sync(submission_of, fields, methods)
        check_image_size(submission, self.gateway.settings.max_image_bytes)
        return submission

    async def _reply(
        self, number: int, line_id: str, submission: Submission, taken: Callable[[], None]
    ) -> BatchLineReply:
        gateway = self.gateway
        reply, replayed = await gateway.pipeline.answer_line(
            submission, self.batch.line(line_id), gateway.settings.batch_wait_s, taken
        )
        if not replayed:
            gateway.metrics.count(reply)
        _log.info("answered", answer_id=reply.id, decision=reply.decision, degraded=reply.degraded, replayed=replayed)
        return BatchLineReply(line=number, id=line_id, status=200, replayed=replayed, reply=reply)

    def _problem(self, number: int, line_id: str | None, problem: Problem) -> BatchLineReply:
        told = ProblemDetails.model_validate(problem.document(self.batch.request_id))
        found = BatchLineReply(line=number, id=line_id, status=problem.status, replayed=False, problem=told)
        if problem.retry_after is not None:
            found.retry_after = max(1, math.ceil(problem.retry_after))
        return found


def _take_id(fields: dict[str, Any]) -> str:
    found = fields.pop("id", None)
    if found is None:
        refuse("id", "is missing: a text by which the line's answer is known")
    if not isinstance(found, str) or not 1 <= len(found) <= MAX_LINE_ID or not found.isprintable():
        refuse("id", f"must be a text of 1 to {MAX_LINE_ID} printable characters")
    return found


def line_bytes(told: BatchLineReply) -> bytes:
    """Write a line of the reply; only what is known of it."""
    found = told.model_dump(mode="json", exclude_unset=True, exclude={"reply"})
    if told.reply is not None:
        found["reply"] = told.reply.model_dump(mode="json")
    # In ASCII: a model's text may hold what UTF-8 has no bytes for.
    return json.dumps(found, separators=(",", ":")).encode("ascii") + b"\n"
