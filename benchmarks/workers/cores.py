"""Cores of a part of a core each: control groups that bound what a process and its children take of the processor.

A machine has few cores, and whoever asks and the models need some of them. So each worker gets a core of a fixed part
of a real one: what a further one is worth can then be seen on two.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_PERIOD_US = 10_000  # short, so that a worker that has used its part waits for milliseconds
_V1, _V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
_EMPTY_S = 10.0


class CoresError(Exception):
    """Processes cannot be bounded on this machine; the message says what it lacks."""


def give_core(name: str, part: float, pids: list[int]) -> None:
    """Bound processes, and those that they start from then on, to a part of a core.

    Args:
        name: Of the control group; see `remove`.
        part: Of a core, for all of these processes together.
        pids: The processes; they leave the group by ending.

    Raises:
        CoresError: If this machine does not allow it: it takes Linux, and its root.
    """
    folder, bound = _group(name, part)
    try:
        folder.mkdir()
        for file, text in bound.items():
            (folder / file).write_text(text)
        for pid in pids:
            (folder / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise CoresError(f"processes cannot be bounded by a control group: {error}") from None


def remove(name: str) -> None:
    """Remove a control group, once its processes have ended."""
    deadline = time.monotonic() + _EMPTY_S
    folder, _ = _group(name, 1.0)
    while folder.exists() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            folder.rmdir()
        time.sleep(0.05)


def _group(name: str, part: float) -> tuple[Path, dict[str, str]]:
    quota = round(part * _PERIOD_US)
    own = f"trustvqa-bench-{os.getpid()}-{name}"
    if _V1.is_dir():
        return _V1 / own, {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota)}
    return _V2 / own, {"cpu.max": f"{quota} {_PERIOD_US}"}
