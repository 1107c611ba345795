"""Errors of the command line, and the end of a command that cannot go on.

CommandError                    the command cannot go on
├── BackupError                 of `trustvqa backup` and `trustvqa restore`
│   ├── ArchiveError            a file is no backup, or not a whole one
│   ├── CopyError               a backup cannot be made
│   └── RestoreRefusedError     a backup is not restored, and nothing was changed
├── ServiceStartError           a service did not become ready
└── ShardError                  there is no such shard, or what was found are not the shards of a dataset

The message of each is for a person: what is wrong, and what to change.
"""

from __future__ import annotations

from typing import NoReturn

import typer


class CommandError(Exception):
    """The command cannot go on; the message says what to change."""


class BackupError(CommandError):
    """Records and registry cannot be backed up or restored."""


class ArchiveError(BackupError):
    """A file is no backup, or not a whole one."""


class CopyError(BackupError):
    """A backup cannot be made."""


class RestoreRefusedError(BackupError):
    """A backup is not restored, and nothing was changed."""


class ServiceStartError(CommandError):
    """A service did not become ready; the message shows the end of its log."""


class ShardError(CommandError):
    """There is no such shard, or what was found are not the shards of a dataset."""


def fail(message: str, status: int = 1) -> NoReturn:
    """Print an error for a person and end the command."""
    # Here: most commands do not fail, and lists of commands are quicker without it.
    from rich.console import Console
    from rich.markup import escape

    # No emoji: a parser's name in a message may spell one (":x:").
    Console(stderr=True, emoji=False).print(f"[bold red]error[/] {escape(message)}", soft_wrap=True, highlight=False)
    raise typer.Exit(status)
