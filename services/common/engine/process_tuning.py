"""Settings of libraries, and imports left out, that make a process with a model in it start and run faster."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt(3)
_KEPT = 256 << 20
_LARGE = 32 << 20  # the most that every glibc takes


def tune_process() -> None:
    """Tune this process; call it before torch is first imported and before there are threads."""
    let_idle_threads_sleep()
    keep_freed_memory()


def let_idle_threads_sleep() -> None:
    """Make OpenMP's waiting threads sleep, unless the environment says otherwise; effective before torch is imported.

    By default they spin, and where anything else wants the cores each step then waits for a time slice: a request was
    seen to take a hundred times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def keep_freed_memory() -> None:
    """Make the C library keep up to 256 MiB of what is freed, instead of giving it back to the kernel.

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


@contextlib.contextmanager
def without_scikit_learn() -> Iterator[None]:
    """Scikit-learn hidden from what is imported in a block, unless it is imported already.

    transformers imports it where it is installed, and pandas with it, for generation assisted by a second model, which
    the engine does not use. That was seen to take a tenth of the processor time of a start.

    Example:
        >>> with without_scikit_learn():
        ...     import transformers.generation
    """
    is_hidden = "sklearn" not in sys.modules
    if is_hidden:
        sys.modules["sklearn"] = None  # type: ignore[assignment]  # not found, as importlib has it
    try:
        yield
    finally:
        if is_hidden:
            del sys.modules["sklearn"]
