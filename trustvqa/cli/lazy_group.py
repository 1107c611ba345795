"""A group of commands whose modules are imported when they are called: a list of them needs none of their packages."""

from __future__ import annotations

import errno
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

from trustvqa.cli.errors import fail

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+).*extra == ['\"](?P<extra>[\w-]+)['\"]")
DISTRIBUTION = "trustvqa"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_PLACES = _FULL | {errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command that is not imported yet.

    Attributes:
        place: "module:name" of the function or of the group.
        summary: First line of its help.
        extra: The extra that has the packages which it needs beyond those that are always installed.
    """

    place: str
    summary: str
    extra: str | None = None

    def load(self, name: str) -> Any:
        """Import the command; end this one with a message where its extra is not installed.

        Args:
            name: What it is called.

        Returns:
            Click's command.
        """
        if self.extra is not None and any(missing_packages(self.extra)):
            fail(
                f"trustvqa {name} needs more packages: pip install '{DISTRIBUTION}[{self.extra}]' "
                "(in a checkout: make dev)",
                2,
            )
        found = pkgutil.resolve_name(self.place)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(name)(found)
            found = alone
        found.rich_markup_mode = None  # see `lazy_app`
        loaded = typer.main.get_command(found)
        for each in getattr(loaded, "commands", {}).values():
            each.short_help = (each.help or "").partition("\n\n")[0]  # whole: in a list it is cut otherwise
        return loaded


class LazyGroup(TyperGroup):
    """Lists its commands by their summaries, and imports the one that is called."""

    lazy: Mapping[str, LazyCommand]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; end it with a message where the system lets it write or read no more."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno not in _OF_PLACES:
                raise
            where = f"{error.filename}: " if error.filename else ""
            remedy = ": make room where it writes, and start it again" if error.errno in _FULL else ""
            fail(f"{where}{error.strerror}{remedy}", 2)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that the arguments name."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.lazy:
            command = self.lazy[name].load(name)
        return name, command, rest


def lazy_app(commands: Mapping[str, LazyCommand], **options: Any) -> typer.Typer:
    """Make a program of commands.

    Args:
        commands: Name -> command, in the order in which they are listed.
        options: For `typer.Typer`.
    """
    app = typer.Typer(
        cls=type("Group", (LazyGroup,), {"lazy": commands}),
        # Help and refusals without rich's frames: to draw these takes longer to import than all the rest of a list.
        rich_markup_mode=None,
        # Commands have them from here.
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
        **options,
    )
    for name, command in commands.items():
        app.command(name, help=command.summary, short_help=command.summary)(lambda: None)
    return app


def missing_packages(extra: str) -> Iterator[str]:
    """Name an extra's packages that are not installed; none where this program was not installed itself."""
    # Here: most commands need no extra, and it takes a tenth of the time that they start in.
    from importlib.metadata import PackageNotFoundError, distribution, requires

    try:
        listed = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return
    for found in filter(None, map(_REQUIREMENT.match, listed)):
        if found["extra"] == extra:
            try:
                distribution(found["name"])
            except PackageNotFoundError:
                yield found["name"]
