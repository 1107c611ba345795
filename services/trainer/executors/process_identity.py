"""Names of processes that stay theirs: a number alone may be another's tomorrow."""

from __future__ import annotations

import socket

import psutil

# psutil reads start times in hundredths of a second; the rest is for adding and subtracting the time of boot.
_TOLERANCE_S = 0.05


def identify(pid: int) -> str:
    """Name a process that runs now, so that it can be known again.

    Args:
        pid: Its number.

    Returns:
        "host:pid:start", the start in seconds since the machine's, which no change of the clock moves.

    Raises:
        LookupError: If there is no such process.
    """
    try:
        return f"{socket.gethostname()}:{pid}:{_start(pid):.2f}"
    except psutil.Error as error:
        raise LookupError(f"there is no process {pid}") from error


def find(identity: str) -> psutil.Process | None:
    """Look a process up by what `identify` called it.

    Returns:
        The process, which may be a zombie; None where it is gone, whoever has its number now.

    Raises:
        ValueError: If that is no name of a process.
    """
    host, pid, start = _parts(identity)
    if host != socket.gethostname():
        return None
    try:
        return psutil.Process(pid) if abs(_start(pid) - start) < _TOLERANCE_S else None
    except psutil.Error:
        return None


def is_at_work(identity: str) -> bool | None:
    """Whether a process still runs.

    Returns:
        True or False; None where it is on another machine, so that this one cannot tell.

    Raises:
        ValueError: If that is no name of a process.
    """
    if _parts(identity)[0] != socket.gethostname():
        return None
    found = find(identity)
    return found is not None and not is_dead(found)


def is_dead(process: psutil.Process) -> bool:
    """Whether a process has ended, be it that nobody has taken note (a zombie)."""
    try:
        return bool(process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def marked(variable: str, value: str) -> list[psutil.Process]:
    """Find the running processes of this user that were started with a variable in their environment.

    What a process starts inherits it, so this finds children, and theirs, wherever they have gone.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == value and not is_dead(process):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # another user's, or gone meanwhile
    return found


def _parts(identity: str) -> tuple[str, int, float]:
    host, pid, start = identity.rsplit(":", 2)
    return host, int(pid), float(start)


def _start(pid: int) -> float:
    while True:
        boot = psutil.boot_time()
        created = psutil.Process(pid).create_time()
        if psutil.boot_time() == boot:  # else the clock was set in between
            return float(created - boot)
