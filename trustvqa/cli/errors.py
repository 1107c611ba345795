"""How commands end that cannot go on."""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape


class CommandError(Exception):
    """The command cannot go on; the message says what to change."""


def fail(message: str, status: int = 1) -> NoReturn:
    """Print an error for a person and end the command."""
    Console(stderr=True).print(f"[bold red]error[/] {escape(message)}", soft_wrap=True, highlight=False)
    raise typer.Exit(status)
