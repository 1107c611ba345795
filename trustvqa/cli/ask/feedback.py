"""`trustvqa feedback`: what was right, of an answer that the gateway gave."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from trustvqa.cli.addresses import GatewayAddress
from trustvqa.cli.errors import fail
from trustvqa.cli.output import AsJson, print_result
from trustvqa.cli.running_stack import default_address
from trustvqa.cli.service_client import asking, read_reply
from trustvqa.cli.terminal_user import terminal_user


def feedback(
    answer_id: Annotated[str, typer.Argument(help="The answer's id, as the reply gave it.", metavar="ID")],
    right: Annotated[str | None, typer.Option(help="Letter of the option that is right.", metavar="LETTER")] = None,
    was_right: Annotated[
        bool | None,
        typer.Option("--was-right/--was-wrong", help="Whether the answer was right, without saying which is."),
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who says so; by default the user of this terminal.")] = None,
    comment: Annotated[str | None, typer.Option(help="A remark, of at most 2 000 characters.")] = None,
    gateway: GatewayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Review an answer: which option was right, or whether the answer was; drift is told by that."""
    if (right is None) == (was_right is None):
        fail("give one of --right LETTER, --was-right and --was-wrong", 2)
    said: dict[str, Any] = {"who": who or terminal_user()}
    said |= {"right": was_right} if right is None else {"correct_option": right.strip().upper()}
    if comment is not None:
        said["comment"] = comment
    with asking(gateway or default_address("gateway"), "a TrustVQA gateway") as service:
        kept = read_reply(service.post(f"/vqa/{quote(answer_id, safe='')}/feedback", json=said))
        verdict = "right" if kept["right"] else "wrong"
        print_result(dict(kept), lambda _: f"kept: the answer was {verdict}, says {kept['who']}", as_json=as_json)
