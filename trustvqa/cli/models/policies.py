"""`trustvqa policies`: which policy versions there are, and which of them is live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from trustvqa.cli.addresses import PolicyAddress
from trustvqa.cli.errors import CommandError
from trustvqa.cli.output import AsJson, print_result
from trustvqa.cli.running_stack import default_address
from trustvqa.cli.service_client import asking, read_reply

_TIMEOUT_S = 300.0  # a version of a few billion parameters is loaded before it takes over


def policies(
    activate: Annotated[str | None, typer.Option(help="Make this version live.")] = None,
    policy: PolicyAddress = None,
    as_json: AsJson = False,
) -> None:
    """List the policy versions, or make one live; no request is dropped meanwhile."""
    with asking(policy or default_address("policy"), "a policy service", timeout_s=_TIMEOUT_S) as service:
        listed = read_reply(service.get("/v1/policies"))
        if activate is None:
            print_result(listed, _listed, as_json=as_json)
            return
        # Asked for among those that there are: a name is not yet fit for a path.
        known = [each["version"] for each in listed["policies"]]
        if activate not in known:
            raise CommandError(f"there is no version {activate}; there are {', '.join(known) or 'none'}")
        done = read_reply(service.post(f"/v1/policies/{activate}/activate"))
        print_result(
            done, lambda _: f"{done['active']} is live; before it was {done['previous'] or 'none'}", as_json=as_json
        )


def _listed(body: Mapping[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("version", "", "wording"):
        table.add_column(head, no_wrap=head == "version")
    for each in body["policies"]:
        state = "live" if each["active"] else "" if each["usable"] else f"unusable: {each['problem']}"
        wording = each.get("template")
        table.add_row(
            escape(each["version"]), escape(state), f"{wording['name']}@{wording['version']}" if wording else ""
        )
    return table
