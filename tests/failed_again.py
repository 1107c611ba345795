"""Once more, what failed in the last run of the suite, alone: python -m tests.failed_again

The suite runs in three processes, and some of its tests watch clocks, sockets and processes: what fails beside others
and not alone is named, so that it is mended, and is no reason to hold a change back. What fails alone, too, fails.
Exit status: pytest's; 1 where more failed than chance explains.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

_FAILED = Path(".pytest_cache/v/cache/lastfailed")
_MOST = 3
# What pytest-xdist adds to the names of tests that share a process.
_GROUP = re.compile(r"@[\w.-]+$")


def main(options: list[str]) -> int:
    """Run them again, with further options of pytest."""
    names = json.loads(_FAILED.read_text(encoding="utf-8")) if _FAILED.exists() else []
    failed = [_GROUP.sub("", name) for name in names]
    sys.stdout.write("\n  ".join([f"{len(failed)} failed:", *failed]) + "\n")
    if not 0 < len(failed) <= _MOST:
        return 1
    status = int(pytest.main(["-n", "0", *options, *failed]))
    if status == 0:
        sys.stdout.write("FAILED BESIDE OTHERS AND NOT ALONE, and should be mended:\n  " + "\n  ".join(failed) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
