"""`trustvqa runs`: the trainer's runs, listed, shown, followed, cancelled and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from httpx_sse import connect_sse
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trustvqa.cli.addresses import TrainerAddress
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.output import AsJson, print_result
from trustvqa.cli.running_stack import default_address
from trustvqa.cli.runs.tables import plain
from trustvqa.cli.service_client import asking, read_reply

_WHAT = "a trainer"
_RECONNECTS = 5

RunId = Annotated[str, typer.Argument(help="The run's id, as `trustvqa runs list` shows it.", metavar="ID")]

app = typer.Typer(
    name="runs",
    help="The trainer's runs (training, tuning, evaluation): list, show, follow, cancel and resume them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most runs that are listed, from the newest.")] = 50,
    trainer: TrainerAddress = None,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    with asking(_address(trainer), _WHAT) as service:
        runs = read_reply(service.get("/v1/runs", params={"limit": limit}))["runs"]
        print_result(runs, lambda _: _listed(runs), as_json=as_json)


@app.command("show")
def show_run(run: RunId, trainer: TrainerAddress = None, as_json: AsJson = False) -> None:
    """Show a run with its latest figures."""
    with asking(_address(trainer), _WHAT) as service:
        detail = read_reply(service.get(_path(run)))
        print_result(dict(detail), _detail, as_json=as_json)


@app.command()
def cancel(run: RunId, trainer: TrainerAddress = None, as_json: AsJson = False) -> None:
    """Take a run out of the queue, or stop it with a checkpoint."""
    _change(run, "cancel", trainer, as_json=as_json)


@app.command()
def resume(run: RunId, trainer: TrainerAddress = None, as_json: AsJson = False) -> None:
    """Put a run that failed or was cancelled into the queue again; it goes on from its last checkpoint."""
    _change(run, "resume", trainer, as_json=as_json)


@app.command()
def follow(
    run: RunId,
    trainer: TrainerAddress = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON.")] = False,
) -> None:
    """Print a run's events, past and to come, until it ends.

    Ends with status 0 where the run succeeded, 1 where it failed or was cancelled. Ctrl-C stops following, not the run.
    """
    console = Console(highlight=False, soft_wrap=True)
    with asking(_address(trainer), _WHAT, timeout_s=60.0) as service:
        read_reply(service.get(_path(run)))
        ended = _follow(service, run, lambda name, data: _print_event(console, name, data, as_json=as_json))
    raise typer.Exit(0 if ended.get("status") == "succeeded" else 1)


def _follow(service: httpx.Client, run: str, take: Callable[[str, Mapping[str, Any]], None]) -> Mapping[str, Any]:
    """Hand over a run's events; a connection that breaks is made again from the last one on."""
    last, broken = "", 0
    while True:
        try:
            headers = {"Last-Event-ID": last} if last else {}
            with connect_sse(service, "GET", f"{_path(run)}/events", headers=headers) as source:
                if source.response.status_code != httpx.codes.OK:
                    source.response.read()
                    read_reply(source.response)
                for event in source.iter_sse():
                    last, broken = event.id or last, 0
                    data = json.loads(event.data)
                    take(event.event, data)
                    if event.event == "end":
                        return dict(data)
        except httpx.TransportError as error:
            broken += 1
            if broken > _RECONNECTS:
                raise CommandError(f"the connection broke {broken} times in a row ({error})") from error


def _change(run: str, how: str, trainer: str | None, *, as_json: bool) -> None:
    with asking(_address(trainer), _WHAT) as service:
        done = read_reply(service.post(f"{_path(run)}/{how}"))
        print_result(dict(done), lambda _: f"{done['id']}: {_state(done)}", as_json=as_json)


def _address(given: str | None) -> str:
    return given or default_address("trainer")


def _path(run: str) -> str:
    if not run or run in (".", ".."):
        fail(f"{run!r} is no run's id", 2)
    return f"/v1/runs/{quote(run, safe='')}"


def _listed(runs: list[Mapping[str, Any]]) -> Table | str:
    if not runs:
        return "there are no runs"
    table = plain("run", "kind", "state", "made", "executor")
    for each in runs:
        made = str(each["created"])[:16].replace("T", " ")
        table.add_row(escape(each["id"]), each["kind"], escape(_state(each)), made, escape(each["executor"] or "-"))
    return table


def _detail(run: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Run", escape(run["id"]))
    table.add_row("Kind", run["kind"])
    table.add_row("State", escape(_state(run)))
    for label, key in (("Made", "created"), ("Started", "started"), ("Ended", "ended"), ("Error", "error")):
        if run.get(key):
            table.add_row(label, escape(str(run[key])))
    for label, key in (("Progress", "progress"), ("Figures", "metrics")):
        if run.get(key):
            table.add_row(label, escape(_figures(run[key])))
    for each in run.get("report") or ():
        table.add_row("Report", escape(_figures(each)))
    return table


def _state(run: Mapping[str, Any]) -> str:
    state = str(run["status"])
    if run.get("cancelling"):
        return f"{state}, stopping"
    return f"{state}, number {run['position']} in the queue" if run.get("position") else state


def _print_event(console: Console, name: str, data: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"event": name, **data}, ensure_ascii=False))
    else:
        rest = {key: value for key, value in data.items() if key != "time"}
        at = f"{str(data['time'])[11:19]}  " if "time" in data else ""
        console.print(f"{at}[bold]{escape(name)}[/]  {escape(_figures(rest))}")


def _figures(values: Mapping[str, Any]) -> str:
    """Write the plain values of an object on a line; what is nested is left to --json."""
    plain_values = ((name, value) for name, value in values.items() if isinstance(value, str | int | float))
    return "  ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in plain_values
    )
