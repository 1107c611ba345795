"""Memory that is freed and needed again is not fetched from the kernel each time."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Blocks of rising size, so that glibc's own adaptation to the largest block freed so far does not hide the fault.
PROGRAM = """
import resource, sys
from services.common.engine.process_tuning import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    blocks = [bytearray(size << 20) for size in (1, 3, 9, 20)]
    for block in blocks:
        block[::4096] = b"x" * len(block[::4096])
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = faults()
print((faults(), faults())[1] - first)
"""


def pages_fetched(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, check=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_freed_memory_is_kept() -> None:
    assert pages_fetched("keep") < 1000 < pages_fetched("default")
