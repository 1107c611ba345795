"""`trustvqa records`: erase the content of a record."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from trustvqa.cli.addresses import GatewayAddress
from trustvqa.cli.running_stack import default_address
from trustvqa.cli.service_client import asking, read_reply

app = typer.Typer(
    name="records",
    help="Erase the content of one record of a gateway; what the audit log holds stays provable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def records() -> None:
    """Erase the content of one record of a gateway; what the audit log holds stays provable."""


@app.command()
def erase(
    answer_id: Annotated[str, typer.Argument(help="The answer's id, as the reply gave it.", metavar="ID")],
    gateway: GatewayAddress = None,
) -> None:
    """Erase question, answer's text, guidance, picture and comments of one record; ids, figures and hashes stay."""
    with asking(gateway or default_address("gateway"), "a TrustVQA gateway") as service:
        reply = service.delete(f"/vqa/{quote(answer_id, safe='')}")
        if reply.status_code != 204:
            read_reply(reply)
        typer.echo(f"erased: the content of record {answer_id}")
