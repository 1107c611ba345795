"""A TCP connection whose every wait ends at one moment: finding the host, each of its addresses, sending, receiving.

A socket's own timeout bounds one wait. A reply that comes byte by byte has many.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MOST_ADDRESSES: Final = 8
"""Most addresses of a host that are tried."""


class TimedSocket(socket.socket):
    """A socket that waits until a moment, and no longer however often it waits.

    Attributes:
        ends_at: The moment, of `time.monotonic`; a wait that is begun later, or lasts until then, is a TimeoutError.
    """

    ends_at: float = 0.0

    def connect(self, address: Any, /) -> None:
        """Connect in time."""
        self._keep_time()
        super().connect(address)

    def sendall(self, data: ReadableBuffer, flags: int = 0, /) -> None:
        """Send all in time."""
        self._keep_time()
        super().sendall(data, flags)

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive what there is, in time; what reads a reply calls this, often."""
        self._keep_time()
        return super().recv_into(buffer, nbytes, flags)

    def _keep_time(self) -> None:
        self.settimeout(_left_s(self.ends_at))


def connected(host: str, port: int, *, connect_s: float, ends_at: float) -> TimedSocket:
    """Connect to a host, to the first of its addresses that takes the connection.

    Args:
        host: Its name, or its IP address without brackets.
        port: The port.
        connect_s: Longest time to connect, the look-up of the name included, in seconds. Addresses share what is left.
        ends_at: The moment at which all ends, of `time.monotonic`.

    Raises:
        TimeoutError: If it takes too long.
        OSError, UnicodeError: If there is no such host, or none of its addresses takes the connection.
    """
    until = min(ends_at, time.monotonic() + connect_s)
    addresses = _addresses(host, port, until)[:MOST_ADDRESSES]
    failed = OSError(f"{host} has no address")
    for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            sock = TimedSocket(family, kind, protocol)
        except OSError as error:  # of a kind that this machine does not have
            failed = error
            continue
        try:
            sock.ends_at = time.monotonic() + _left_s(until) / left
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failed = error
        else:
            sock.ends_at = ends_at
            return sock
    raise failed


def _addresses(host: str, port: int, until: float) -> list[Any]:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except (socket.gaierror, UnicodeError):
        pass  # a name
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            found.append(error)

    # In a thread that may outlive this: nothing else ends the look-up of a name early.
    thread = threading.Thread(target=look_up, name="trustvqa-look-up", daemon=True)
    thread.start()
    thread.join(_left_s(until))
    if not found:
        raise TimeoutError
    if isinstance(found[0], Exception):
        raise found[0]
    return list(found[0])


def _left_s(ends_at: float) -> float:
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
