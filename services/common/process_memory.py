"""Memory that a service gives back to the system."""

from __future__ import annotations

import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # mallopt(3)
_LARGE, _ARENAS = 1 << 20, 2


def give_back_large_blocks() -> None:
    """Make the C library give freed blocks of a megabyte and more back at once; call it before there are threads.

    By itself glibc keeps blocks of up to 32 MB once it has seen such, in a pool a thread: after some uploads of the
    largest size a gateway held gigabytes. Where the C library is not glibc, nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENA_MAX, _ARENAS)
