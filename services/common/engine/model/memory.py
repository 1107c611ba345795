"""Memory that is kept between forward passes."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt(3)
_KEPT = 256 << 20
_LARGE = 32 << 20  # the most that every glibc takes


def keep_freed_memory() -> None:
    """Tell the C library to keep up to 256 MiB of what is freed, instead of giving it back to the kernel.

    A forward pass frees a few megabytes after every operation and needs them again for the next one. Given back, each
    page is fetched anew, which was seen to be a sixth of the time of reading 32 prompts. Call it before there are
    threads: the memory pools that glibc gives to each shrink whatever the threshold, so there will be one for all.
    Where the C library is not glibc, nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENA_MAX, 1)
