"""A worker process: does one task after another with pictures that nobody has checked yet.

It trusts the pictures as little as its parent does. Its memory is bounded, and so is the time of one picture, even if
the parent is gone. It writes no files. A message that cannot be read ends it, since what follows in the stream might
be a picture's bytes; and messages are JSON and bytes, since unpickling would run whatever a picture's maker wants.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from prompt4trust.errors import PictureError

Rest = Callable[[], Mapping[str, Any]]
"""The remainder of a task once its first result has been sent; its own result is what JSON holds."""
Task = Callable[[bytes, Mapping[str, Any]], tuple[Mapping[str, Any], bytes] | tuple[Mapping[str, Any], bytes, Rest]]
"""Work on a file, with arguments and results that JSON holds, and bytes beside them; a function of a module. What need
not be waited for comes as a third part, to be done while others use the first two."""

LENGTHS: Final = struct.Struct("!II")
"""Begins a message: how many bytes of JSON follow, and how many others behind those."""
_PR_SET_PDEATHSIG: Final = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT: Final = 1 << 25  # bytes, glibc's most for the latter
_SPARE_S: Final = 1.0
_SMALL: Final = 1 << 20
_HEAD: Final = 64
KEPT: Final = 64_000_000
"""Bytes that a worker may keep from picture to picture, on top of what one may take; it ends with more."""


def serve(connection: socket.socket, task: Task, memory: int, seconds: float) -> None:
    """Do tasks until the parent closes the connection.

    Args:
        connection: To the parent.
        task: Work on each file.
        memory: Bytes that tasks may take besides what this process has.
        seconds: Time of a task; the parent is to end it, and this process ends by itself somewhat later.
    """
    _confine(connection, memory)
    gc.freeze()  # what it was forked with stays, and its pages remain its siblings' as well
    # Decoders that give up leak memory, which would be missing for the pictures to come: so much is allowed for.
    enough, last = _size() + KEPT, False
    while not last and (message := _receive(connection)) is not None:
        asked, data = message
        with _watched(connection, seconds + _SPARE_S):
            told, file, *rest = _reply(lambda: task(data, asked))  # noqa: B023 - called at once
            if (end := known_end(file, data)) > 0:
                told, file = {**told, "end": end}, file[:-end]
            del data, message
            if rest:
                _send(connection, {**told, "more": True}, file)
                told, file = _reply(lambda: (rest.pop()(), b""))[:2]  # noqa: B023 - called at once
        last = _size() > enough
        _send(connection, {**told, "last": last}, file)


def known_end(made: bytes, sent: bytes) -> int:
    """Count the bytes of a file's end that the parent has already: a picture may go on with another head alone.

    Args:
        made: The file that a task made.
        sent: The file that it was made of.

    Returns:
        Bytes that need not be sent back; 0 where the files differ beyond the head.

    Example:
        >>> known_end(b"new head" + bytes(100), b"an old and longer head" + bytes(100))
        44
    """
    end = len(made) - _HEAD
    return end if end > 0 and sent.endswith(made[_HEAD:]) else 0


def pieces_of(told: Mapping[str, Any], file: bytes) -> tuple[bytes, ...]:
    """Write a message, in one piece where that is small: the other side then wakes once."""
    text = json.dumps(told).encode()
    head = LENGTHS.pack(len(text), len(file)) + text
    return (head + file,) if len(file) <= _SMALL else (head, file)


def _send(connection: socket.socket, told: Mapping[str, Any], file: bytes) -> None:
    for piece in pieces_of(told, file):
        connection.sendall(piece)


def _reply(work: Callable[[], Any]) -> Any:
    try:
        found, *others = work()
    except PictureError as error:
        return {"fault": error.fault, "detail": error.detail}, b""
    except MemoryError:
        return {"fault": "image-too-large", "detail": "The image takes too much memory: scale it down."}, b""
    except Exception:  # noqa: BLE001, RUF100 - a mistake of ours, which the parent logs
        return {"failure": traceback.format_exc(limit=-8)}, b""
    return {"found": found}, *others


def _confine(connection: socket.socket, memory: int) -> None:
    # What reaches the parent's whole group, as Ctrl-C does, must not cut off the questions that it still answers.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    for each in (signal.SIGALRM, signal.SIGIO):
        signal.signal(each, signal.SIG_DFL)  # ends the process, in the midst of a decoder too
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    library = ctypes.CDLL(None)
    prctl, mallopt = getattr(library, "prctl", None), getattr(library, "mallopt", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if mallopt is not None:
        # glibc would give a picture's megabytes back to the system and fetch them anew for the next, page for page,
        # which takes as long as to decode it.
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
    with Path(os.devnull).open("wb") as nowhere:  # decoders complain there of what strangers send
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    if hasattr(os, "SCHED_BATCH"):
        # Work that may be put off: a worker that gets a picture must not push the event loop that sent it off its core.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))
    if has := _size():
        most = has + memory + KEPT
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _size() -> int:
    """Address space of this process in bytes; 0 where the system does not say."""
    sizes = Path("/proc/self/statm")
    return int(sizes.read_text().split()[0]) * resource.getpagesize() if sizes.exists() else 0


@contextlib.contextmanager
def _watched(connection: socket.socket, seconds: float) -> Iterator[None]:
    """End this process if a block takes too long, or if the parent is gone meanwhile."""
    flags = fcntl.fcntl(connection, fcntl.F_GETFL)
    # The parent sends nothing before it has the reply, so that only its end raises SIGIO.
    fcntl.fcntl(connection, fcntl.F_SETFL, flags | os.O_ASYNC)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        if _is_hung_up(connection):  # before SIGIO was asked for, so that it never comes
            raise SystemExit
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        fcntl.fcntl(connection, fcntl.F_SETFL, flags)


def _is_hung_up(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, 0)  # a hang-up is told in any case
    return bool(poll.poll(0))


def _receive(connection: socket.socket) -> tuple[Mapping[str, Any], bytes] | None:
    """Read a message; None at the end of the stream."""
    head = _exactly(connection, LENGTHS.size)
    if head is None:
        return None
    size, rest = LENGTHS.unpack(head)
    text, data = _exactly(connection, size), _exactly(connection, rest)
    if text is None or data is None:
        return None
    return json.loads(text), data


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        more = connection.recv_into(view[have:])
        if not more:
            return None
        have += more
    return bytes(data)
