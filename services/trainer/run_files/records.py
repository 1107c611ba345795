"""Runs as they lie on disk: a folder each, described by its run.json, which is always whole."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field

from prompt4trust.files import write_atomically
from services.trainer.errors import UnknownRunError
from services.trainer.run_files.events import EventLog

RUN_FILE = "run.json"
RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
RunKind = Literal["training", "evaluation", "calibprompt"]
Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
STATUSES: tuple[Status, ...] = ("queued", "running", "succeeded", "failed", "cancelled")
UNFINISHED: frozenset[Status] = frozenset({"queued", "running"})
FOREGROUND = "foreground"
"""Stands in the place of an executor where a command in a terminal does the work itself."""

_LOCK = ".run.lock"
_log = structlog.get_logger(__name__)


class RunRecord(BaseModel):
    """A run's record.

    Attributes:
        id: The name of its folder.
        kind: Training of a policy, evaluation, or tuning of a contrastive model by CalibPrompt.
        status: State of the run.
        created: When it was asked for.
        queued: When it began to wait for its turn, the last time.
        started: When its work began, the last time.
        ended: When that ended.
        executor: Name of the executor that does the work.
        handle: The executor's own name for the job.
        resumed: Number of times that it was resumed.
        cancelling: It was asked to stop and has not stopped yet.
        error: Reason why it failed, or another remark on its end for a person.
        request: The request.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: RunKind
    status: Status
    created: datetime
    queued: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    executor: str | None = None
    handle: str | None = None
    resumed: int = 0
    cancelling: bool = False
    error: str | None = None
    request: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether nothing happens any more unless it is resumed."""
        return self.status not in UNFINISHED

    def with_(self, **changes: Any) -> RunRecord:
        """Copy it with changes."""
        return self.model_copy(update=changes)


class RunStore:
    """The folder of runs' folders. Everything here blocks: call it from a thread.

    Args:
        root: The folder; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._left_out: set[str] = set()

    def folder(self, run_id: str) -> Path:
        """Name a run's folder.

        Raises:
            UnknownRunError: If no run can have such an id.
        """
        if not re.fullmatch(RUN_ID, run_id):
            raise UnknownRunError(run_id)
        return self.root / run_id

    def create(self, record: RunRecord) -> None:
        """Write a new run's record.

        Raises:
            FileExistsError: If there is such a run.
            OSError: If it cannot be written.
        """
        folder = self.folder(record.id)
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            if (folder / RUN_FILE).exists():
                raise FileExistsError(f"{folder} holds a run already")
            _write(folder, record)

    def read(self, run_id: str) -> RunRecord:
        """Read a run's record.

        Raises:
            UnknownRunError: If there is none that can be read.
        """
        try:
            return _read(self.folder(run_id))
        except (OSError, ValueError) as error:
            raise UnknownRunError(run_id) from error

    def update(self, run_id: str, change: Callable[[RunRecord], RunRecord]) -> RunRecord:
        """Change a run's record; no other process or thread changes it meanwhile.

        Args:
            run_id: The run.
            change: The old record -> the new one; what it raises leaves the record as it is.

        Returns:
            The new record.

        Raises:
            UnknownRunError: If there is no such run.
            OSError: If it cannot be written.
        """
        folder = self.folder(run_id)
        if not (folder / RUN_FILE).is_file():
            raise UnknownRunError(run_id)
        with _locked(folder):
            before = self.read(run_id)
            after = change(before)
            if after != before:
                _write(folder, after)
        return after

    def all(self) -> list[RunRecord]:
        """Read every record, the newest first; one that cannot be read is logged, once, and left out."""
        found = []
        for path in self.root.glob(f"*/{RUN_FILE}"):
            try:
                found.append(_read(path.parent))
            except (OSError, ValueError) as error:
                if path.parent.name not in self._left_out and not _is_manifest(path):
                    _log.error("run left out", run=path.parent.name, reason=str(error))
                self._left_out.add(path.parent.name)
        return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def wait_for_writer(folder: Path) -> None:
    """Wait until nobody writes a run's record: the event of its last change is then written, too.

    Args:
        folder: The run's folder.
    """
    with suppress(OSError), _locked(folder):
        pass


def _is_manifest(path: Path) -> bool:
    # `trustvqa evaluate` and `calibrate` keep a file of the same name, by which they know their own folders again.
    try:
        return "data_hash" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _read(folder: Path) -> RunRecord:
    record = RunRecord.model_validate_json((folder / RUN_FILE).read_bytes())
    return record.with_(id=folder.name)


def _write(folder: Path, record: RunRecord) -> None:
    write_atomically(folder / RUN_FILE, record.model_dump_json(indent=2) + "\n")
    with suppress(OSError):  # run.json is what counts
        EventLog(folder).write("state", **record.model_dump(mode="json", include={"status", "cancelling", "error"}))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # held for the length of one small write
        yield
