"""The provider of DICOM's storage service: takes objects that are sent by C-STORE, and answers C-ECHO."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLETransferSyntaxes,
)
from pynetdicom import AE, _config, evt
from pynetdicom.presentation import AllStoragePresentationContexts

from services.listener.receiving.bounded_server import BoundedHandler, BoundedServer
from services.listener.receiving.inbox import InboxFullError, UnreadableObjectError, read_header, reference_of
from services.listener.receiving.outcomes import StoreOutcome
from services.listener.receiving.reception import Reception

_SYNTAXES: Final = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    *JPEGTransferSyntaxes,
    *JPEGLSTransferSyntaxes,
    *JPEG2000TransferSyntaxes,
    *RLETransferSyntaxes,
]
_VERIFICATION: Final = "1.2.840.10008.1.1"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoreBounds:
    """Who may send, and how much.

    Attributes:
        aet: The provider's own AE title.
        callers: AE titles that may send.
        associations: Most associations at once.
        pdu_bytes: Longest PDU that is asked for.
        object_bytes: Most bytes of an object.
        object_deadline_s: Longest time for an object, in seconds.
        idle_s: Longest silence of an association.
    """

    aet: str
    callers: frozenset[str]
    associations: int
    pdu_bytes: int
    object_bytes: int
    object_deadline_s: float
    idle_s: float


@dataclass(slots=True)
class StoreProvider:
    """A server of C-STORE and C-ECHO, each association in a thread of its own.

    Attributes:
        bounds: Who may send, and how much.
        reception: Keeps objects, and the questions about them.
        ended: Called with the outcome of each object, and of each association that was broken off.
    """

    bounds: StoreBounds
    reception: Reception
    ended: Callable[[StoreOutcome], None]
    _server: BoundedServer | None = field(default=None, init=False)

    def start(self, host: str, port: int) -> int:
        """Begin to listen.

        Returns:
            The port, where 0 asked for any.

        Raises:
            OSError: If the address is not to be had.
        """
        # What the library says quotes values.
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
        _config.LOG_HANDLER_LEVEL = "none"
        _config.STORE_RECV_CHUNKED_DATASET = True
        bounds = self.bounds
        entity: Any = AE(ae_title=bounds.aet)
        entity.require_called_aet = True
        entity.require_calling_aet = sorted(bounds.callers)
        entity.maximum_associations = bounds.associations
        entity.maximum_pdu_size = bounds.pdu_bytes
        entity.network_timeout = bounds.idle_s
        entity.acse_timeout = entity.dimse_timeout = bounds.idle_s
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, _SYNTAXES)
        entity.add_supported_context(_VERIFICATION)
        server: BoundedServer = entity.make_server(
            (host, port),
            ae_title=bounds.aet,
            evt_handlers=[(evt.EVT_C_STORE, self._stored)],
            server_class=BoundedServer,
            request_handler=BoundedHandler,
            inbox=self.reception.inbox,
            broken=lambda: self.ended(StoreOutcome.BROKEN),
            object_bytes=bounds.object_bytes,
            object_deadline_s=bounds.object_deadline_s,
            pdu_deadline_s=bounds.idle_s,
        )
        self._server = server
        # As the library's own start does: its shutdown takes it out again.
        entity._servers.append(server)
        threading.Thread(target=server.serve_forever, name="store-provider", daemon=True).start()
        return int(server.server_address[1])

    def stop(self) -> None:
        """Take no more, and end what is under way: whoever sends is not told that it came."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.end_associations()

    def _stored(self, event: Any) -> Dataset:
        try:
            outcome = self._outcome(event)
        except InboxFullError as error:
            _log.error("there is no room for objects that are sent", reason=str(error))
            outcome = StoreOutcome.FULL
        except UnreadableObjectError:
            outcome = StoreOutcome.UNREADABLE
        except (OSError, sqlite3.Error) as error:
            _log.error("the disk takes no object", reason=type(error).__name__)
            outcome = StoreOutcome.FULL
        except Exception as error:  # noqa: BLE001, RUF100 - the sender is told, and it is counted
            _log.error("an object that was sent cannot be taken", error=type(error).__name__)
            outcome = StoreOutcome.FAILED
        finally:
            # What is kept has been moved away.
            event.assoc.arriving.discard()
        self.ended(outcome)
        status = Dataset()
        status.Status = outcome.status
        if outcome.comment:
            status.ErrorComment = outcome.comment
        return status

    def _outcome(self, event: Any) -> StoreOutcome:
        refusal: StoreOutcome | None = event.assoc.arriving.refusal
        if refusal is not None:
            return refusal
        file: Path | None = event.request._dataset_path
        if file is None:
            raise UnreadableObjectError("there is no object")
        event.request._dataset_file.close()
        header = read_header(file)
        reference = reference_of(header)
        asked = (event.request.AffectedSOPClassUID, event.request.AffectedSOPInstanceUID)
        if (header.get("SOPClassUID"), reference.sop_instance_uid) != asked:
            return StoreOutcome.OTHER_OBJECT
        new = self.reception.admit(file, reference, header)
        return StoreOutcome.NO_RULE if new is None else StoreOutcome.KEPT if new else StoreOutcome.KNOWN
