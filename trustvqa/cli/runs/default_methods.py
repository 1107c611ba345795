"""The methods of a command that names none: those that the gateway offers, or those of an earlier run."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from prompt4trust.evaluation import ManifestError, read_manifest
from services.common.settings import config_file
from services.common.startup import SettingsFaultError, settings_of
from services.gateway.settings_parts.methods import OfferedMethods
from trustvqa.cli.errors import CommandError


def offered(console: Console) -> str:
    """Name the methods that the gateway offers by the settings that this command reads, and say so.

    A gateway that has no policy offers none that asks one, and what its clients get by default is among them.

    Args:
        console: Where that is said.

    Returns:
        The names, with commas between, the gateway's default first.

    Raises:
        CommandError: If the settings cannot be used.
    """
    try:
        names = settings_of(OfferedMethods).methods
    except SettingsFaultError as error:
        raise CommandError(str(error)) from error
    file = config_file()
    whence = f" by {file}" if file.is_file() else ""
    said = f"methods: {', '.join(names)}: those that the gateway offers{whence}; --methods names others"
    console.print(escape(said), highlight=False, soft_wrap=True)
    return ",".join(names)


def of_run(folder: Path) -> str:
    """Name the methods of an earlier run, with commas between.

    Raises:
        CommandError: If the folder holds no run.
    """
    try:
        return ",".join(read_manifest(folder).estimators)
    except ManifestError as error:
        raise CommandError(str(error)) from error
