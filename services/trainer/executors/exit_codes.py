"""Signals in exit codes."""

from __future__ import annotations

import signal
from contextlib import suppress


def by_signal(code: int) -> str:
    """Name the signal that ended a job.

    Args:
        code: Its exit code.

    Returns:
        One line; "" where no signal did, or where that is no news: a run that was asked to stop exits with 130 itself.
    """
    if code == 128 + signal.SIGINT:
        return ""
    with suppress(ValueError):
        return f"ended by {signal.Signals(code - 128).name}"
    return ""
