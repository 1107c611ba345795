"""A command's result: a table or a sentence for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console, RenderableType

_WIDTH_OF_FILES = 160
Result = TypeVar("Result")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead.")]
BesideJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs; what people read goes to standard error.")
]


def print_result(result: Result, lay_out: Callable[[Result], RenderableType], *, as_json: bool) -> None:
    """Print a result.

    Args:
        result: Something that JSON can hold.
        lay_out: Makes of it what people read.
        as_json: Whether it is for a program.
    """
    if as_json:
        print_json(result)
    else:
        console = Console()
        # A pipe or a file has no width: rows stay whole there.
        Console(width=None if console.is_terminal else _WIDTH_OF_FILES).print(lay_out(result), highlight=False)


def print_json(result: Any) -> None:
    """Print JSON, and nothing else, on standard output."""
    typer.echo(json.dumps(result, indent=2, ensure_ascii=False, default=str))
