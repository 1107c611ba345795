"""Reception: an object is on the disk and the questions about it are noted before its sender is told that it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from services.common.pacs.archive import InstanceReference
from services.listener.receiving.inbox import Inbox, InboxFullError, UnreadableObjectError, read_header, reference_of
from services.listener.rules import Rules
from services.listener.state import InstanceJob, Stage, State

if TYPE_CHECKING:
    from pydicom import Dataset

_log = structlog.get_logger(__name__)


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Reception:
    """Keeps received objects for as long as there are open questions about them.

    An object that comes twice, or that is found in the archive too, is one: questions are known by its identifier. Its
    methods block for some milliseconds, and may be called from any thread.

    Attributes:
        inbox: The objects.
        state: The questions.
        rules: What is asked.
        most_waiting: Most open questions.
        clock: Gives the seconds since 1970.
        arrived: Called when there are new questions.
        lost: Called for each object that was kept and cannot be read any more.
    """

    inbox: Inbox
    state: State
    rules: Rules
    most_waiting: int
    clock: Callable[[], float]
    arrived: Callable[[str, int], None]
    lost: Callable[[], None] = _nothing

    def admit(self, file: Path, reference: InstanceReference, header: Dataset) -> int | None:
        """Take over an object that has arrived whole.

        Args:
            file: The object, in the inbox's folder for what arrives.
            reference: Its identifiers.
            header: Its attributes.

        Returns:
            How many questions about it are new; None where no rule meets it, so that it is not kept.

        Raises:
            InboxFullError: If there is no room for it.
            OSError: If the disk does not take it.
            sqlite3.Error: If the state does not take its questions; sent again, it is noted.
        """
        if not (jobs := self._jobs(reference, header)):
            return None
        if self.state.has_open(self.most_waiting):
            raise InboxFullError("too many questions wait")
        with self.inbox.one_at_a_time():
            # In this order: no question is noted about what could still be lost.
            self.inbox.keep(file, reference.sop_instance_uid)
            return self._note(reference, jobs)

    def recover(self) -> None:
        """Note the questions about objects that were kept when the process ended, and remove those without any."""
        for file in self.inbox.files():
            with self.inbox.one_at_a_time():
                try:
                    header = read_header(file)
                    reference = reference_of(header)
                except UnreadableObjectError:
                    # Questions about it are answered from the archive, or given up.
                    _log.error("an object that was received cannot be read any more, and is removed")
                    self.inbox.remove_file(file)
                    self.lost()
                    continue
                self._note(reference, self._jobs(reference, header))

    def settle(self, reference: InstanceReference) -> None:
        """Remove an object about which nothing is open any more."""
        with self.inbox.one_at_a_time():
            if not self.state.is_open(reference.sop_instance_uid):
                self.inbox.remove(reference.sop_instance_uid)

    def file_of(self, reference: InstanceReference) -> bytes | None:
        """Read an object; None where it was not received."""
        found = self.inbox.find(reference.sop_instance_uid)
        return None if found is None else found.read_bytes()

    def source_of(self, reference: InstanceReference) -> Dataset | None:
        """Read the attributes of an object that its report adopts; None where it was not received."""
        found = self.inbox.find(reference.sop_instance_uid)
        return None if found is None else read_header(found)

    def _jobs(self, reference: InstanceReference, header: Dataset) -> list[InstanceJob]:
        met = [rule for rule in self.rules.rules if rule.meets(header)]
        return [InstanceJob(reference, rule.name, rule.digest, Stage.FOUND, None, 0) for rule in met]

    def _note(self, reference: InstanceReference, jobs: list[InstanceJob]) -> int:
        new = 0
        for job in jobs:
            if self.state.add([job], self.clock()):
                self.arrived(job.rule, 1)
                new += 1
        if not self.state.is_open(reference.sop_instance_uid):
            self.inbox.remove(reference.sop_instance_uid)
        return new
