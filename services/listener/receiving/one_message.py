"""DIMSE messages of an association, one at a time: a sender that does not wait for its answer is cut off.

pynetdicom reads messages while one is handled, each object into a file of its own, without an end. No association of
ours negotiates asynchronous operations (PS3.7, D.3.3.3), so that nobody may send a second message before the first is
answered.
"""

from __future__ import annotations

import tempfile
import threading
from typing import Any, Final

import structlog
from pynetdicom import dimse_messages
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage

from services.listener.receiving.arriving_object import ArrivingObject

_COMMAND: Final = 1
_LAST: Final = 2
_LONGEST_COMMAND: Final = 1 << 16
"""Bytes of a command: identifiers and numbers, of which the longest has 64."""

_here = threading.local()
_log = structlog.get_logger(__name__)


class _BrokenMessageError(Exception):
    """A message is none, or comes where none may."""


class OneMessageProvider(DIMSEServiceProvider):
    """Receives one message at a time, each bounded; whatever else comes ends the association by an A-ABORT.

    Args:
        association: The association.
        arriving: The object that is coming.

    Attributes:
        broken: Whether the association was ended so.
    """

    def __init__(self, association: Any, arriving: ArrivingObject) -> None:
        super().__init__(association)
        self.broken = False
        self._arriving = arriving
        self._is_answered = True
        self._command_bytes = 0

    def receive_primitive(self, primitive: Any) -> None:
        """Receive a part of a message; called by the thread that reads the connection."""
        if self.broken:
            return
        _here.arriving = self._arriving
        try:
            if self.message is None:
                self._begin()
            self._bound(primitive.presentation_data_value_list)
            super().receive_primitive(primitive)
            if self.message is None:
                self._arriving.end()
            elif type(self.message) not in (DIMSEMessage, C_STORE_RQ):
                raise _BrokenMessageError("only objects come with data")
        except Exception as error:  # noqa: BLE001, RUF100 - the library's thread would end, and nothing be told of it
            self.broken = True
            reason = str(error) if isinstance(error, _BrokenMessageError) else type(error).__name__
            _log.error("an association is broken off", reason=reason)
            # The event of an invalid PDU: an A-ABORT to the other side, and to the association's own thread.
            self.dul.event_queue.put("Evt19")

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Send an answer; none over an association that is broken off."""
        if not self.broken:
            self._is_answered = True
            super().send_msg(primitive, context_id)

    def _begin(self) -> None:
        if not self._is_answered:
            raise _BrokenMessageError("a message came before the last was answered")
        self._is_answered = False
        self._command_bytes = 0
        self._arriving.begin()

    def _bound(self, values: list[Any]) -> None:
        """Check the order of a part's values, and take away what is beyond the bounds.

        Of each value of an object its first byte stays, which says whether it is the last: an object that is too large
        comes to its end, and its sender is told why it is refused.
        """
        has_command = self.message is not None and type(self.message) is not DIMSEMessage
        for place, (context, value) in enumerate(values):
            if value[0] & _COMMAND:
                self._command_bytes += len(value)
                if has_command or self._command_bytes > _LONGEST_COMMAND:
                    raise _BrokenMessageError("a command is too long, or the second of its message")
                has_command = bool(value[0] & _LAST)
            elif not has_command:
                raise _BrokenMessageError("an object came before its command")
            elif not self._arriving.takes(len(value)):
                values[place] = [context, value[:1]]


def _open_file(**options: Any) -> Any:
    arriving: ArrivingObject | None = getattr(_here, "arriving", None)
    return tempfile.NamedTemporaryFile(**options) if arriving is None else arriving.open_file(**options)


# The library gives no way to say where its files lie; the system's folder for temporary files is no place for patients.
_library: Any = dimse_messages
_library.NamedTemporaryFile = _open_file
