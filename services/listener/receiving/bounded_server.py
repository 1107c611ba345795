"""A DICOM server whose connections are bounded before pynetdicom looks at them: their number, their PDUs, their time.

pynetdicom reads a PDU as long as its header says, which may be four gigabytes, and waits for it for ever.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket, RequestHandler, ThreadedAssociationServer

from services.listener.receiving.arriving_object import ArrivingObject
from services.listener.receiving.inbox import Inbox
from services.listener.receiving.one_message import OneMessageProvider

_HEADER: Final = 6
_LONGEST_REQUEST: Final = 1 << 18
"""Bytes of a PDU that are read whatever was agreed: a request for an association comes before, and names much."""
_END_S: Final = 5.0
_log = structlog.get_logger(__name__)


class _BoundedReader:
    """Reads no PDU that is longer than allowed, and waits for none longer than allowed."""

    def __init__(self, connection: socket.socket, pdu_bytes: int, deadline_s: float, coming: ArrivingObject) -> None:
        self._connection = connection
        self._pdu_bytes = max(pdu_bytes, _LONGEST_REQUEST) + _HEADER
        self._deadline_s = deadline_s
        self._coming = coming

    def __call__(self, nr_bytes: int) -> bytearray:
        try:
            return self._read(nr_bytes)
        except OSError:
            # The library takes any failure for the other side's having gone, and leaves the connection open.
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            raise

    def _read(self, nr_bytes: int) -> bytearray:
        if nr_bytes > self._pdu_bytes:
            raise OSError("a PDU is longer than was agreed")
        until = time.monotonic() + self._deadline_s
        if self._coming.until is not None:
            until = min(until, self._coming.until)
        found = bytearray()
        while len(found) < nr_bytes:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("a PDU did not come in time")
            self._connection.settimeout(left)
            part = self._connection.recv(nr_bytes - len(found))
            if not part:
                break
            found += part
        return found


class BoundedAssociation(Association):
    """An association whose reader and objects are bounded, and that leaves nothing however its thread ends.

    Args:
        server: The server.
        connection: The connection.
        address: The other side's address.

    Attributes:
        arriving: The object that is coming or being handled.
    """

    _server: BoundedServer  # the library's own name for it, by which it ends connections

    def __init__(self, server: BoundedServer, connection: socket.socket, address: Any) -> None:
        super().__init__(server.ae, "acceptor")
        self._server = server
        # The library finds a server's associations by this name.
        self.name = f"AcceptorThread@{id(self)}"
        self._connection = connection
        self.arriving = ArrivingObject(server.inbox, server.object_bytes, server.object_deadline_s, time.monotonic)
        self._messages = OneMessageProvider(self, self.arriving)
        self.dimse = self._messages
        self.set_socket(AssociationSocket(self, client_socket=connection))
        reading: Any = self.dul
        # The library's own reader is not bounded.
        reading.socket.recv = _BoundedReader(
            connection, server.ae.maximum_pdu_size, server.pdu_deadline_s, self.arriving
        )
        reading.run = _told_of(reading.run)
        self.acceptor.maximum_length = server.ae.maximum_pdu_size
        self.acceptor.ae_title = server.ae_title
        self.acceptor.address_info = AddressInformation.from_tuple(server.server_address)
        self.acceptor.implementation_class_uid = server.ae.implementation_class_uid
        self.acceptor.implementation_version_name = server.ae.implementation_version_name
        # One list for all: they are read only.
        self.acceptor.supported_contexts = server.contexts
        self.requestor.address_info = AddressInformation.from_tuple(address)
        server.bind_handlers(self)

    def run(self) -> None:
        """Serve until the association ends, and clear up."""
        try:
            _told_of(super().run)()
        finally:
            self._server.shutdown_request(self._connection)
            if self.dul.is_alive():
                self.dul.kill_dul()
                self.dul.join(_END_S)
            if self.arriving.discard() or self._messages.broken:
                self._server.broken()
            self._server.places.release()


class BoundedHandler(RequestHandler):
    """Begins a `BoundedAssociation`; goes with a `BoundedServer`."""

    server: BoundedServer

    def handle(self) -> None:
        """Begin it."""
        association = BoundedAssociation(self.server, self.request, self.client_address)
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        association.start()


class BoundedServer(ThreadedAssociationServer):
    """A server of a bounded number of connections, whether they have become associations or not.

    Attributes:
        inbox: Where objects arrive.
        object_bytes: Most bytes of an object.
        object_deadline_s: Longest time for one, in seconds.
        pdu_deadline_s: Longest wait for a PDU that has begun.
        broken: Called for each association that ended amid an object, or was broken off.
        places: Places for connections: one is held from before the first byte is read until its thread has cleared up.
    """

    def __init__(
        self,
        *args: Any,
        inbox: Inbox,
        object_bytes: int,
        object_deadline_s: float,
        pdu_deadline_s: float,
        broken: Callable[[], None],
        **options: Any,
    ) -> None:
        self.inbox = inbox
        self.object_bytes = object_bytes
        self.object_deadline_s = object_deadline_s
        self.pdu_deadline_s = pdu_deadline_s
        self.broken = broken
        super().__init__(*args, **options)
        # Beyond the associations themselves, for those that are to hear that there are too many.
        self.places = threading.BoundedSemaphore(2 * self.ae.maximum_associations)

    def verify_request(self, _request: Any, _client_address: Any) -> bool:
        """Whether a connection is taken: one beyond twice the associations is closed without a word."""
        return self.places.acquire(blocking=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread that begins the association."""
        try:
            super().process_request(request, client_address)
        except BaseException:
            self.places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Begin the association; its place comes free where that fails."""
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001, RUF100 - whatever it is, the place comes free
            self.handle_error(request, client_address)
            self.shutdown_request(request)
            self.places.release()

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Log the type of the error by which an association could not begin."""
        kind = sys.exc_info()[0]
        _log.error("an association could not begin", error=None if kind is None else kind.__name__)

    def bind_handlers(self, association: Association) -> None:
        """Bind an association to what the server's own events are bound to."""
        for event, bound in self._handlers.items():
            found: Any = bound
            for handler in found if isinstance(found, list) else [found]:
                if handler and handler[0] is not None:
                    association.bind(event, *handler)

    def end_associations(self) -> None:
        """End all associations, and wait until they have cleared up."""
        ending = self.active_associations
        for association in ending:
            association.abort()
        for association in ending:
            association.join(_END_S)


def _told_of(run: Callable[[], None]) -> Callable[[], None]:
    """Make what a thread runs tell when it ends by an error: by its type, as messages of the library quote values."""

    def told() -> None:
        try:
            run()
        except Exception as error:  # noqa: BLE001, RUF100 - the thread ends, and says so
            _log.error("a thread of an association ended by an error", error=type(error).__name__)

    return told
