"""Commands run in this process, which is quicker, from a folder of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from typer.testing import CliRunner

from trustvqa.cli.main import app


def run_command(
    folder: Path,
    *arguments: str | Path,
    status: int = 0,
    columns: int = 160,
    environment: Mapping[str, str | None] | None = None,
) -> tuple[str, str]:
    """Run `trustvqa` with arguments, and give what it printed and what it reported."""
    with contextlib.chdir(folder):
        told = {"NO_COLOR": "1", "COLUMNS": str(columns), **(environment or {})}
        result = CliRunner().invoke(app, list(map(str, arguments)), env=told)
    assert result.exit_code == status, result.stderr or result.exception
    return result.stdout, result.stderr
