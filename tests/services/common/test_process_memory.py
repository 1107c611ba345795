from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

HELD = """
import sys
import psutil
from services.common.process_memory import give_back_large_blocks

if sys.argv[1] == "told":
    give_back_large_blocks()
for _ in range(3):  # the first frees are what teaches glibc to keep such blocks
    blocks = [b"\\1" * 12_000_000 for _ in range(4)]
    small = [b"\\1" * 1000 for _ in range(1000)]
    del blocks
print(psutil.Process().memory_info().rss)
"""


def held(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", HELD, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
def test_large_blocks_are_given_back() -> None:
    assert held("told") < held("untold") - 10_000_000
