"""A program that ends when its parent does: python parent_death_signal.py PARENT_PID PROGRAM [ARGUMENT ...].

Whatever kills the parent, SIGKILL included, Linux then sends the program a SIGTERM. The wish is the process's own, made
here ahead of the exec, which keeps it; what the program starts itself does not inherit it. Elsewhere than on Linux this
does nothing. It runs before every service: only the standard library, and little of it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_NOT_FOUND = 127  # as shells have it


def ending_with(parent: int, command: Sequence[str]) -> Sequence[str]:
    """Compose the command of a program that is to end when its parent does.

    Args:
        parent: Process id of whoever starts it.
        command: The program and its arguments.

    Returns:
        The command to start instead; on systems other than Linux, the command itself.
    """
    if sys.platform != "linux":
        return command
    # Isolated and without site-packages: it starts in a hundredth of a second.
    return (sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(parent), *command)


def _main(parent: int, command: list[str]) -> int:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        return 1  # the parent was gone before the wish was made
    try:
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), sys.argv[2:]))
