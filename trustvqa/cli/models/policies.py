"""`trustvqa policies`: which policy versions there are, and which of them is live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trustvqa.cli.api_key import key_headers, refusal
from trustvqa.cli.errors import CommandError, fail

_TIMEOUT_S = 300.0  # a version of a few billion parameters is loaded before it takes over


def policies(
    activate: Annotated[str | None, typer.Option(help="Make this version live.")] = None,
    policy: Annotated[str, typer.Option(help="The policy service's address.")] = "http://127.0.0.1:8081",
) -> None:
    """List the policy versions, or make one live; no request is dropped meanwhile."""
    try:
        with httpx.Client(base_url=policy, headers=key_headers(), timeout=_TIMEOUT_S) as http:
            if activate is None:
                Console().print(_listed(_read(http.get("/v1/policies"))))
            else:
                # Asked for among those that there are: a name is not yet fit for a path.
                known = [each["version"] for each in _read(http.get("/v1/policies"))["policies"]]
                if activate not in known:
                    raise CommandError(f"there is no version {activate}; there are {', '.join(known) or 'none'}")
                done = _read(http.post(f"/v1/policies/{activate}/activate"))
                typer.echo(f"{done['active']} is live; before it was {done['previous'] or 'none'}")
    except CommandError as error:
        said = str(error)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"{policy} cannot be reached ({error}): is it running?"
    except (KeyError, TypeError, ValueError):
        said = f"{policy} does not speak as a policy service does"
    else:
        return
    fail(said)


def _read(response: httpx.Response) -> Mapping[str, Any]:
    body = response.json()
    if response.status_code != httpx.codes.OK:
        raise CommandError(refusal(response.status_code, body) or str(body.get("detail") or body))
    if not isinstance(body, dict):
        raise TypeError(type(body))
    return body


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
