"""Commands of a page of docs, run as they stand there: blocks after a comment `<!-- run: NAME -->`."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.system.conftest import ROOT, TRUSTVQA

PAGE = ROOT / "docs" / "operations.md"
_BLOCK = re.compile(r"^<!-- run: (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, str]:
    """The page's blocks to run, by name."""
    found = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(found) == len(dict(found)), "two blocks of one name"
    return dict(found)


def run_block(
    name: str, folder: Path, environment: Mapping[str, str], addresses: Mapping[str, str] | None = None
) -> str:
    """Run a block of the page as a person would, and return what it printed.

    Args:
        name: The block's name.
        folder: Where it is run.
        environment: What is set for it; of TrustVQA's own variables nothing else is.
        addresses: What stands in the page -> what is used in its place.

    Raises:
        AssertionError: If it fails.
    """
    commands = blocks()[name]
    for written, meant in (addresses or {}).items():
        assert written in commands, f"{name} no longer speaks of {written}"
        commands = commands.replace(written, meant)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("TRUSTVQA_", "MAKE"))}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={**clean, "PATH": f"{TRUSTVQA.parent}:{os.environ['PATH']}", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
