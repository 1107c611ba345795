"""Threads that wait without spinning."""

from __future__ import annotations

import os


def wait_quietly() -> None:
    """Tell OpenMP, before torch is first imported, that waiting threads should sleep.

    By default they spin, and where anything else wants the cores each step then waits for a time slice: a request was
    seen to take a hundred times as long. What the environment says already is kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
