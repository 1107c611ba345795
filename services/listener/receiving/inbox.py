"""The inbox: received objects on disk, from the answer to their sender until their reports are stored."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prompt4trust.files import sync_directory
from services.common.pacs.archive import InstanceReference
from services.common.pacs.patient_study import SOURCE_ATTRIBUTES

if TYPE_CHECKING:
    from pydicom import Dataset

_UID: Final = re.compile(r"(?=.{1,64}\Z)[0-2](?:\.(?:0|[1-9][0-9]*))+", re.ASCII)
_READ: Final = (*SOURCE_ATTRIBUTES, "SOPClassUID", "SeriesInstanceUID", "Modality", "BodyPartExamined")
_ROOM: Final = 64 << 20
"""Bytes of the disk that are left free: what the state needs to be written."""


class InboxFullError(Exception):
    """There is no room for another object; the message says what there is too much of."""


class UnreadableObjectError(Exception):
    """An object that came is no DICOM object, or lacks the identifiers that every one has."""


class Inbox:
    """A folder of received objects, one file each, named by its SOP Instance UID, for their owner alone.

    What is kept outlives a power cut: its file and its name are on the disk before `keep` returns.

    Args:
        folder: The folder; it is made.
        max_bytes: Most bytes of all files.

    Example:
        >>> inbox = Inbox(Path(tempfile.mkdtemp()), max_bytes=1 << 30)
        >>> inbox.find("1.2.3") is None
        True
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.arriving = folder / "arriving"
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._arriving_bytes = 0
        # Objects that were still arriving when the process ended: their senders were not told that they came.
        shutil.rmtree(self.arriving, ignore_errors=True)
        self.arriving.mkdir(parents=True, mode=0o700)
        folder.chmod(0o700)
        self._bytes = sum(each.stat().st_size for each in folder.glob("*.dcm"))

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Hold the inbox for the length of a block: whether a file is still needed is decided by one at a time."""
        with self._lock:
            yield

    def take_room(self, size: int) -> None:
        """Take room for so many bytes more of an object that is arriving; it is to be given back.

        Raises:
            InboxFullError: If there is none.
        """
        with self._counting:
            if self._bytes + self._arriving_bytes + size > self._max_bytes:
                raise InboxFullError("too many bytes wait")
            if shutil.disk_usage(self._folder).free < size + _ROOM:
                raise InboxFullError("the disk is full")
            self._arriving_bytes += size

    def give_room(self, size: int) -> None:
        """Give back the room of an object that has arrived, or does not."""
        with self._counting:
            self._arriving_bytes -= size

    def keep(self, arrived: Path, uid: str) -> None:
        """Take over a file that has arrived; the first of an instance is kept, as an archive does.

        Args:
            arrived: The file, in the folder `arriving`.
            uid: Its SOP Instance UID, as `reference_of` gave it.

        Raises:
            OSError: If the disk does not take it.
        """
        place = self._place(uid)
        if place.exists():
            return
        with arrived.open("rb") as file:
            os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
        arrived.replace(place)
        sync_directory(self._folder)
        self._bytes += size

    def find(self, uid: str) -> Path | None:
        """Find the file of an instance; None where it was not received, or is no longer needed."""
        place = self._place(uid)
        return place if place.exists() else None

    def remove(self, uid: str) -> None:
        """Remove an instance that is no longer needed; one that is not there may be removed too."""
        self.remove_file(self._place(uid))

    def remove_file(self, place: Path) -> None:
        """Remove a file that `files` listed; one that is not there may be removed too."""
        try:
            size = place.stat().st_size
        except FileNotFoundError:
            return
        place.unlink(missing_ok=True)
        self._bytes -= size

    def files(self) -> Iterable[Path]:
        """List the objects that are kept."""
        return sorted(self._folder.glob("*.dcm"))

    def _place(self, uid: str) -> Path:
        if not _UID.fullmatch(uid):
            raise UnreadableObjectError("the object's identifiers are none")
        return self._folder / f"{uid}.dcm"


def read_header(file: Path) -> Dataset:
    """Read of an object what rules and reports need; none of its pixels.

    Raises:
        UnreadableObjectError: If it cannot be read. The message holds nothing of it.
    """
    from pydicom import Dataset, dcmread

    try:
        found = dcmread(file, stop_before_pixels=True, specific_tags=list(_READ))
        # As an archive gives attributes: texts without the object's own character set.
        return Dataset.from_json(found.to_json_dict())
    except Exception as error:
        # pydicom raises whatever the faults of a file lead to, and quotes it.
        raise UnreadableObjectError(f"the object cannot be read ({type(error).__name__})") from None


def reference_of(header: Dataset) -> InstanceReference:
    """Take the identifiers of an object.

    Raises:
        UnreadableObjectError: If one is missing, or is none.
    """
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    uids = [str(header.get(name) or "") for name in names]
    if not all(map(_UID.fullmatch, uids)):
        raise UnreadableObjectError("the object's identifiers are none")
    return InstanceReference(*uids)
