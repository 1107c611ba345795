"""Runs the calls of instructor from an environment of its own: `make test-instructor` makes it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

_PYTHON = os.environ.get("INSTRUCTOR_PYTHON", "")
needs_instructor = pytest.mark.skipif(
    not _PYTHON, reason="no INSTRUCTOR_PYTHON names a Python that has instructor (make test-instructor)"
)
"""Marks tests that run only where instructor is."""


MODES = ["TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA"]
"""Its ways to an object that both services serve; the first is what it does by itself."""


def by_instructor(service: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Have instructor ask a "gateway" or a "downstream" service; give what it made of the replies."""
    done = subprocess.run(
        [_PYTHON, "-I", str(Path(__file__).with_name("calls.py")), service],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
