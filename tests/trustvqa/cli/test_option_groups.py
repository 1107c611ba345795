"""Options in groups: a command has an option for each of their fields, and is given them whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from trustvqa.cli.option_groups import grouped


@dataclass(frozen=True, slots=True)
class Size:
    """A group."""

    width: Annotated[int, typer.Option(min=1, help="How wide.")]
    height: Annotated[int, typer.Option("--height", "-h")] = 2


def test_fields_are_options_in_the_place_of_their_group() -> None:
    seen: list[object] = []
    app = typer.Typer()

    @app.command()
    @grouped
    def draw(*, name: Annotated[str, typer.Option()], size: Size, color: str = "red") -> None:
        """Draw it."""
        seen.append((name, size, color))

    done = CliRunner().invoke(app, ["--name", "x", "--width", "3", "-h", "4"])
    assert done.exit_code == 0, done.output
    assert seen == [("x", Size(3, 4), "red")]
    assert CliRunner().invoke(app, ["--name", "x", "--width", "0"]).exit_code == 2
    assert CliRunner().invoke(app, ["--name", "x"]).exit_code == 2
    shown = CliRunner().invoke(app, ["--help"]).stdout
    places = [shown.index(part) for part in ("Draw it.", "--name", "--width", "--height", "--color")]
    assert places == sorted(places)
