"""Memory that is freed and needed again is not fetched from the kernel each time."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec

import pytest

from services.common.engine.process_tuning import without_scikit_learn

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


def test_scikit_learn_is_hidden_from_a_block_and_found_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    with without_scikit_learn():
        assert find_spec("sklearn") is None
        with pytest.raises(ImportError):
            importlib.import_module("sklearn")
    assert find_spec("sklearn") is not None


def test_scikit_learn_stays_where_it_is_imported_already(monkeypatch: pytest.MonkeyPatch) -> None:
    there = object()
    monkeypatch.setitem(sys.modules, "sklearn", there)
    with without_scikit_learn():
        assert sys.modules["sklearn"] is there
    assert sys.modules["sklearn"] is there
