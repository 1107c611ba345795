"""The way of a question through the gateway, stage by stage.

    intake       the request becomes a `Query`                     intake/intake.py
                 and guidance is begun meanwhile                   answering/guidance/guidance_ahead.py
    ask          both models are asked                             answering/models.py
    evidence     calibrator, guard, references: one moment         shelves/evidence.py
    familiarity  is the question like those they were made from?   answering/familiarity.py
    promises     is anything withheld?                             answering/promises.py
    calibrate    the confidence is corrected                       answering/calibration.py
    decide       answered, or left to a person                     answering/decision.py
    record       kept before anybody has the reply                 the `AnswerRecorder`
    reply        what the client gets                              answering/reply.py

Two values are read by all stages and changed by none: the `Query`, and from the models' answer on the `Evidence`.
Whatever the registry becomes meanwhile, one reply rests on one state of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from starlette.requests import Request

from prompt4trust.calibration import CalibrationKey
from services.common.auth.client import client_of
from services.common.clients.breaker import CircuitBreaker
from services.gateway.admission.gate import Gate
from services.gateway.answering.calibration import calibrate
from services.gateway.answering.decision import DecisionDefaults, decide
from services.gateway.answering.familiarity import FamiliarityJudge
from services.gateway.answering.guidance.guidance_ahead import GuidanceAhead
from services.gateway.answering.kept_reply import GroundsNow, grounds_of
from services.gateway.answering.models import Models
from services.gateway.answering.progress import UNWATCHED, AnswerProgress
from services.gateway.answering.promises import withheld_promise
from services.gateway.answering.reply import Answered
from services.gateway.answering.words import chosen_text, told_words
from services.gateway.intake.client_wait import longest_wait_s
from services.gateway.intake.connection import while_connected
from services.gateway.intake.intake import Intake
from services.gateway.intake.later import Later
from services.gateway.intake.query import LineOrigin, Query
from services.gateway.intake.submission import Submission, SubmissionReader, read_submission
from services.gateway.question_schemas import Ask
from services.gateway.schemas import VqaReply
from services.gateway.shelves.evidence import Evidence, Shelves

_AFTER_LOOKS = 0.1
_AFTER_LOOKS_S = 2.0
"""Share of an answer's time, and most seconds of it, that second looks leave for what comes after them."""

_HANDED_OVER_S = 0.001
"""Seconds after which the disk has a record: what is done sooner keeps the thread that writes from writing."""


def _check_nothing(_: Query) -> None:
    """Take every question."""


class AnswerRecorder(Protocol):
    """Keeps answers."""

    async def check_repeated(self, query: Query) -> None:
        """Check that a query may be answered, perhaps again, under its id.

        Raises:
            Exception: If the id is that of an answer that must stand.
        """
        ...

    async def find_kept(self, query: Query, grounds_now: GroundsNow) -> VqaReply | None:
        """Find the reply that a query had under its id before; None where it is to be answered, perhaps again.

        Args:
            query: The query.
            grounds_now: What a reply would rest on now: one that rested on anything else is not told again.

        Raises:
            Exception: If the id is that of an answer that must stand and cannot be told again.
        """
        ...

    async def keep(self, answered: Answered) -> bool:
        """Keep an answer; return whether it is stored. Its own deadline is a short one.

        Raises:
            Exception: If another answer stands under its id: this one must not be told.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Answers requests.

    Attributes:
        intake: Reads requests.
        models: Asks the models.
        shelves: Hold the evidence.
        judge: Compares questions with those behind the evidence.
        defaults: What holds where a request does not say.
        alarm_withholds: Whether nothing is promised while a drift alarm stands.
        gate: Bounds what is answered at once.
        breaker: Knows whether the downstream model is left alone; None where it never is.
        deadline_s: Longest time for one answer once the request was read, in seconds.
        recorder: Keeps answers; None where that is switched off.
        clock: Monotonic seconds.
        now: Gives the present time, with its zone.
    """

    intake: Intake
    models: Models
    shelves: Shelves
    judge: FamiliarityJudge
    defaults: DecisionDefaults
    alarm_withholds: bool
    gate: Gate
    deadline_s: float
    breaker: CircuitBreaker | None = None
    recorder: AnswerRecorder | None = None
    clock: Callable[[], float] = time.perf_counter
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def answer(
        self,
        request: Request,
        read: SubmissionReader = read_submission,
        progress: AnswerProgress = UNWATCHED,
        check: Callable[[Query], None] = _check_nothing,
    ) -> tuple[Answered, bool]:
        """Answer one request.

        Args:
            request: The request, its body not yet read.
            read: Reads the body.
            progress: Hears of the answer's steps.
            check: Refuses, before a model is asked, a question whose reply could not be given as it is wanted.

        Returns:
            The answer, and whether it is recorded.

        Raises:
            Exception: What the check raises.
            Problem, RequestValidationError, PictureError: If the request is not taken.
            BusyError: If there is no room.
            TransportError, PictureEgressRefusedError: If the downstream model could not be asked.
            TimeoutError: If it took too long.
            ClientDisconnect: If the client left; what was begun for it has been cancelled.
        """
        self._check_room(request)
        await self.shelves.refresh()
        with Later() as later:
            ahead = GuidanceAhead(self.models.policy, later, self.clock)
            # Not where it would be for nothing: a question that finds no place is turned away.
            begin = ahead.begin if self.gate.is_free else _begin_nothing
            query = await self.intake.read(request, self.shelves.references.descriptors, later, begin, read)
            check(query)
            async with asyncio.timeout(self._left_s(query)):
                if self.recorder is not None and query.is_repeatable:
                    await self.recorder.check_repeated(query)
                answered = await while_connected(request.receive, partial(self.answer_query, query, ahead, progress))
        return answered, self.recorder is not None and await self._kept_first(answered, self.recorder)

    async def answer_line(
        self, submission: Submission, line: LineOrigin, wait_s: float, taken: Callable[[], None]
    ) -> tuple[VqaReply, bool]:
        """Answer one line of a batch, after the questions of people who wait.

        Args:
            submission: What it asks.
            line: Where it comes from.
            wait_s: Longest wait for its turn, in seconds.
            taken: Told once its picture is decoded, and the file no longer held.

        Returns:
            The reply, and whether it is the one that the line had before.

        Raises:
            PictureError: If its picture is not taken.
            BusyError: If its turn did not come.
            TransportError, PictureEgressRefusedError: If the downstream model could not be asked.
            TimeoutError: If it took too long.
        """
        await self.shelves.refresh()
        with Later() as later:
            async with asyncio.timeout(wait_s):
                query = await self.intake.take(submission, line, self.shelves.references.descriptors, later)
            taken()
            if (kept := await self._kept(query)) is not None:
                return kept, True
            async with self.gate.patient_place(query.client, wait_s):
                async with asyncio.timeout(self.deadline_s):
                    ahead = GuidanceAhead(self.models.policy, later, self.clock)
                    answered = await self._answer(query, ahead, self.deadline_s)
        recorded = self.recorder is not None and await self._kept_first(answered, self.recorder)
        return answered.reply(recorded=recorded), False

    @staticmethod
    async def _kept_first(answered: Answered, recorder: AnswerRecorder) -> bool:
        """Keep an answer ahead of its reply, so that nobody has one of which nothing is known; return whether it is.

        The reply is written while the disk is waited for, and told once that is over.
        """
        writing = asyncio.get_running_loop().call_later(_HANDED_OVER_S, answered.write_ahead)
        try:
            return await recorder.keep(answered)
        finally:
            writing.cancel()

    async def _kept(self, query: Query) -> VqaReply | None:
        """Find the reply that a line had before; none where it would rest on other grounds now."""
        if self.recorder is None or not query.is_repeatable:
            return None
        await self.shelves.refresh()  # its picture may have waited long for its turn

        def grounds_now(key: CalibrationKey) -> str | None:
            evidence = self.shelves.evidence(key)
            return None if evidence.alarm is not None else self._grounds(query, evidence)

        return await self.recorder.find_kept(query, grounds_now)

    def _grounds(self, query: Query, evidence: Evidence) -> str:
        return grounds_of(query.ask, evidence, self.defaults, self.judge.limit)

    async def answer_query(self, query: Query, ahead: GuidanceAhead, progress: AnswerProgress = UNWATCHED) -> Answered:
        """Answer what was taken in, when it is its turn."""
        async with self.gate.place(query.client, self._left_s(query), progress.queued):
            return await self._answer(query, ahead, self._left_s(query), progress)

    async def _answer(
        self, query: Query, ahead: GuidanceAhead, within_s: float, progress: AnswerProgress = UNWATCHED
    ) -> Answered:
        looks_until = self.clock() + within_s - min(_AFTER_LOOKS * within_s, _AFTER_LOOKS_S)
        with Later() as later:
            known = self.shelves.compared(self.models.name, self.judge.preparation)
            looking = later.begin(self.judge.look(query, known))
            asked = await self.models.ask(query, ahead, lambda: looks_until - self.clock(), progress.guided)
            await self.shelves.refresh()
            evidence = self.shelves.evidence(asked.key)
            familiarity = await self.judge.judge(query, evidence, looking, chosen_text(query, asked.answer))
            asked = asked.beside({**familiarity.signals, **told_words(query, asked.answer, evidence)})
        withheld = withheld_promise(evidence, familiarity, alarm_withholds=self.alarm_withholds)
        confidence = calibrate(query, asked.answer, evidence, withheld)
        decided = decide(query, asked.answer, evidence, confidence, self.defaults)
        grounds = self._grounds(query, evidence) if query.keeps_reply else None
        took_s = self.clock() - query.started
        return Answered(query, asked, familiarity, confidence, decided, took_s, self.now(), grounds)

    def _check_room(self, request: Request) -> None:
        """Refuse before the body is read what would be refused later: the picture is most of what a refusal costs."""
        if self.breaker is not None:
            self.breaker.check()
        self.gate.check(client_of(request.scope), min(self.deadline_s, longest_wait_s(request.headers)))

    def _left_s(self, query: Query) -> float:
        return min(self.deadline_s, query.within_s) - (self.clock() - query.started)


def _begin_nothing(_: Ask) -> None:
    """Ask for no guidance ahead."""
