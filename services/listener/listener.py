"""The listener's work: look into the archive, ask the gateway, store the reports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.to_thread
import structlog

from services.common.pacs.archive import Archive, InstanceReference
from services.common.pacs.errors import ArchiveAwayError, PacsError
from services.common.pacs.reports import store_report
from services.listener.gateway_client import GatewayAwayError, GatewayClient, QuestionRefusedError
from services.listener.instances import Instances
from services.listener.metrics import ListenerMetrics
from services.listener.receiving.reception import Reception
from services.listener.rules import Rules
from services.listener.settings import ListenerSettings
from services.listener.state import OPEN, InstanceJob, Stage, State

if TYPE_CHECKING:
    from pydicom import Dataset

T = TypeVar("T")

_PAGE: Final = 500
_FIRST_PAUSE_S: Final = 1.0
_FIELDS: Final = ["Modality", "BodyPartExamined", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Listener:
    """Finds instances that meet rules, and has each answered and its report stored once.

    What is done is in the state's file before the next step begins: a process that ends anywhere goes on where it was.
    A step that was done and not yet noted is done again, to the same effect: the gateway knows the question by its
    key, and the archive the report by its identifier.

    Attributes:
        settings: Its settings.
        rules: Its rules.
        archive: The archive.
        gateway: The gateway.
        state: What is done.
        metrics: What is counted.
        clock: Gives the seconds since 1970.
        reception: Where objects that are sent are kept; None where none are received.
        woken: Is set when there is work before the next look is due.
        problem: Why the last look failed; None where it did not.
    """

    settings: ListenerSettings
    rules: Rules
    archive: Archive
    gateway: GatewayClient
    state: State
    metrics: ListenerMetrics
    clock: Callable[[], float] = time.time
    reception: Reception | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    problem: str | None = "nothing was looked for yet"

    async def run(self) -> None:
        """Look and work until cancelled."""
        if self.reception is not None:
            await _in_thread(self.reception.recover)
        while True:
            self.woken.clear()
            if self.settings.looks:
                await self.look()
            else:
                self.problem = None
            await self.work()
            forgotten = self.clock() - timedelta(days=self.settings.keep_days).total_seconds()
            await _in_thread(partial(self.state.forget, forgotten))
            with suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), self.settings.every_s)

    async def look(self) -> None:
        """Look for instances that meet a rule, and note those that are new."""
        counts = await _in_thread(self.state.counts)
        self.metrics.note(counts)
        if sum(counts[stage] for stage in OPEN) >= self.settings.most_waiting:
            self.problem = "too many questions wait"
            self.metrics.looks.labels("full").inc()
            return
        try:
            for modality in self.rules.modalities:
                await self._look_for(modality)
        except PacsError as error:
            self.problem = str(error)
            self.metrics.looks.labels("failed").inc()
            _log.warning("the archive cannot be looked into", reason=str(error))
        else:
            self.problem = None
            self.metrics.looks.labels("done").inc()

    async def work(self) -> None:
        """Bring on all jobs whose time has come."""
        while jobs := await _in_thread(partial(self.state.due, self.clock(), self.settings.at_once)):
            async with anyio.create_task_group() as tasks:
                for job in jobs:
                    tasks.start_soon(self._bring_on, job)
        self.metrics.note(await _in_thread(self.state.counts))

    async def _look_for(self, modality: str) -> None:
        filters = {"Modality": modality}
        if self.settings.study_days:
            first = datetime.fromtimestamp(self.clock(), UTC) - timedelta(days=self.settings.study_days)
            filters["StudyDate"] = f"{first:%Y%m%d}-"
        for offset in range(0, self.settings.max_instances, _PAGE):
            limit = min(_PAGE, self.settings.max_instances - offset)
            found = await _in_thread(partial(self.archive.find, filters, _FIELDS, limit=limit, offset=offset))
            for rule, jobs in self._jobs_of(found, modality):
                if jobs and (new := await _in_thread(partial(self.state.add, jobs, self.clock()))):
                    self.metrics.found.labels(rule).inc(new)
            if len(found) < limit:
                return
        _log.warning("more instances than are looked at in one look", modality=modality)

    def _jobs_of(self, found: list[Dataset], modality: str) -> Iterable[tuple[str, list[InstanceJob]]]:
        for instance in found:
            # What was asked for need not be sent back.
            instance.Modality = instance.get("Modality") or modality
        for rule in self.rules.rules:
            met, digest = [_reference(each) for each in found if rule.meets(each)], rule.digest
            yield (
                rule.name,
                [InstanceJob(each, rule.name, digest, Stage.FOUND, None, 0) for each in met if each is not None],
            )

    async def _bring_on(self, job: InstanceJob) -> None:
        try:
            if job.stage is Stage.FOUND:
                known = self.rules.rules
                rule = next((each for each in known if (each.name, each.digest) == (job.rule, job.digest)), None)
                if rule is None:
                    await self._give_up(job, "rule-is-gone")
                    return
                instance = await _in_thread(partial(self._instances.file, job.instance))
                report = await self.gateway.report(job, rule, instance)
                await _in_thread(partial(self.state.answered, job, report, self.clock()))
            else:
                await _in_thread(partial(self._store, job))
                await _in_thread(partial(self.state.stored, job))
                await self._settle(job)
                self.metrics.ended.labels(job.rule, Stage.STORED.value).inc()
        except (ArchiveAwayError, GatewayAwayError) as error:
            self.metrics.failures.labels("gateway" if isinstance(error, GatewayAwayError) else "archive").inc()
            await self._postpone(job, str(error))
        except (PacsError, QuestionRefusedError) as error:
            await self._give_up(job, str(error))
        except Exception as error:  # noqa: BLE001, RUF100 - one instance must not stop the others
            _log.error("an instance cannot be worked on", rule=job.rule, error=type(error).__name__)
            await self._postpone(job, type(error).__name__)

    def _store(self, job: InstanceJob) -> None:
        source = self._instances.sent_attributes(job.instance)
        store_report(self.archive, _read(job.report), source)

    @property
    def _instances(self) -> Instances:
        return Instances(self.archive, self.reception)

    async def _settle(self, job: InstanceJob) -> None:
        if self.reception is not None:
            await _in_thread(partial(self.reception.settle, job.instance))

    async def _postpone(self, job: InstanceJob, reason: str) -> None:
        if self.clock() - job.found_at > self.settings.patience_s:
            await self._give_up(job, reason)
            return
        pause = min(_FIRST_PAUSE_S * 2 ** min(job.attempts, 30), self.settings.longest_pause_s)
        await _in_thread(partial(self.state.postponed, job, reason, self.clock() + pause))

    async def _give_up(self, job: InstanceJob, reason: str) -> None:
        _log.error("a question is given up", rule=job.rule, instance=job.instance.sop_instance_uid, reason=reason)
        await _in_thread(partial(self.state.given_up, job, reason))
        await self._settle(job)
        self.metrics.ended.labels(job.rule, Stage.GIVEN_UP.value).inc()


def _reference(instance: Dataset) -> InstanceReference | None:
    uids = [str(instance.get(name) or "") for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    return InstanceReference(*uids) if all(uids) else None


def _read(report: bytes | None) -> Dataset:
    from pydicom import dcmread

    return dcmread(BytesIO(report or b""))


async def _in_thread(work: Callable[[], T]) -> T:
    # Not given up midway: a step that is under way comes to its end, and is noted.
    return await anyio.to_thread.run_sync(work)


def describe(listener: Listener) -> dict[str, Any]:
    """Name what a listener works with, for /version: no address, as that may hold a password."""
    return {"rules": {rule.name: rule.digest for rule in listener.rules.rules}}
