"""Tools that generate and check clients; `make clients` installs them into .venv/clients."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
INSTALLED = HERE.parents[1] / ".venv" / "clients"
NODE_MODULES = INSTALLED / "node_modules"
PYTHON_GENERATOR = INSTALLED / "python" / "bin" / "openapi-python-client"


_NODE = shutil.which("node") is not None and (NODE_MODULES / ".bin" / "redocly").exists()
_WHY_NO_NODE = "there is no Node.js of version 20.19 or newer with npm, or `make clients` could not install by it"
_WHY_NO_GENERATOR = "`make clients` could not install openapi-python-client"


def by_node(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs Node.js and what npm installs; all of them run in one process, one after the other."""
    for mark in (pytest.mark.xdist_group("node"), pytest.mark.skipif(not _NODE, reason=_WHY_NO_NODE)):
        test = mark(test)
    return test


def by_python_generator(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs the generator of Python clients."""
    marked: Callable[..., None] = pytest.mark.skipif(not PYTHON_GENERATOR.exists(), reason=_WHY_NO_GENERATOR)(test)
    return marked


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command that must succeed and return what it says; that it asks nobody is seen to."""
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **quiet, **environment}, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
