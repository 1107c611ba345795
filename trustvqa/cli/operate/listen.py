"""`trustvqa listen`: the listener, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustvqa.cli.addresses import GATEWAY_OPTIONS, checked_address
from trustvqa.cli.errors import fail
from trustvqa.cli.lazy_group import missing_packages


def listen(
    rules: Annotated[
        Path | None,
        typer.Argument(help="File of the rules; by default what TRUSTVQA_LISTENER_RULES names.", metavar="RULES"),
    ] = None,
    pacs: Annotated[
        str | None, typer.Option(help="DICOMweb root of the archive.", metavar="URL", callback=checked_address)
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(*GATEWAY_OPTIONS, help="Address of the gateway.", metavar="URL", callback=checked_address),
    ] = None,
    state: Annotated[Path | None, typer.Option(help="SQLite file of what is done.", metavar="FILE")] = None,
) -> None:
    """Have new instances of a picture archive (PACS) answered by rules, and store the reports, until Ctrl-C.

    All other settings come from the environment, as those of a service: TRUSTVQA_LISTENER_PACS_TOKEN and its like
    (docs/hospital.md).
    """
    if any(missing_packages("serve")):
        fail("trustvqa listen needs more packages: pip install 'trustvqa[serve,hospital]'", 2)
    from services.listener.__main__ import run

    given = {"rules": rules, "pacs_url": pacs, "gateway_url": gateway, "state": state}
    run({name: value for name, value in given.items() if value is not None})
