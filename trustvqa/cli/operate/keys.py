"""`trustvqa keys`: make API keys, list them, take them back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.common.auth import Key, Right, make_key
from services.common.auth.errors import KeysError
from services.common.auth.key_file import change_keys, read_keys
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.operate.stack_keys import make_stack_keys, read_first_key
from trustvqa.cli.output import AsJson, print_result
from trustvqa.cli.running_stack import SERVICES

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")

File = Annotated[Path, typer.Option(envvar="TRUSTVQA_KEYS_FILE", help="The file that services read.")]
_FILE = Path("var/keys.json")

app = typer.Typer(
    name="keys",
    help="API keys: made here, shown once, and kept as hashes in a file that the services follow without a restart.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


@app.command()
def new(
    name: Annotated[str, typer.Option(help="Whose key it is.")],
    scope: Annotated[list[Right], typer.Option(help="What it allows; may be repeated. admin stands for all.")],
    expires: Annotated[
        str | None, typer.Option(help="From when on it is refused: 90d, 2027-01-31, or a time with its zone.")
    ] = None,
    service: Annotated[
        list[str] | None, typer.Option(help=f"Taken by this service alone ({', '.join(SERVICES)}); may be repeated.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(help="Most requests that it is good for, as 60/minute; by default its scopes'.")
    ] = None,
    concurrent: Annotated[
        int | None, typer.Option(min=1, help="Most of its requests that are answered at once; by default its scopes'.")
    ] = None,
    file: File = _FILE,
) -> None:
    """Make a key and print it, once and alone, on standard output; only its hash is kept."""
    with _failing():
        now = datetime.now(UTC)
        if unknown := sorted(set(service or ()) - set(SERVICES)):
            raise CommandError(f"no service {unknown[0]}; there are {', '.join(SERVICES)}")
        try:
            text, key = make_key(
                name,
                scope,
                created=now,
                expires=read_time(expires, now) if expires else None,
                services=service or None,
                rate=rate,
                concurrent=concurrent,
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise CommandError(f"--{first['loc'][0]}: {first['msg']}") from error
        is_new = not file.exists()
        change_keys(file, lambda keys: (*_without_name(keys, key.name), key))
    # The key first: should this process be killed now, it has at least been seen.
    typer.echo(text)
    note = Console(stderr=True)
    note.print(f"key {key.id} is in {escape(str(file))}; this is the only time that it is shown", soft_wrap=True)
    if is_new:
        note.print("services read the file that TRUSTVQA_<SERVICE>_API_KEYS names", soft_wrap=True, highlight=False)


def _without_name(keys: tuple[Key, ...], name: str) -> tuple[Key, ...]:
    """Check that no key has a name yet: logs and records say who did a thing by the name alone."""
    if taken := [key.id for key in keys if key.name.casefold() == name.casefold()]:
        raise CommandError(f"key {taken[0]} is named {name!r} already: give this one another name, or remove that one")
    return keys


@app.command("list")
def list_keys(file: File = _FILE, as_json: AsJson = False) -> None:
    """List the keys of a file; none can be read from it."""
    with _failing():
        keys = read_keys(file).keys
    print_result(
        [key.model_dump(mode="json", exclude={"hash"}) for key in keys], lambda _: _listed(keys), as_json=as_json
    )


def _listed(keys: Sequence[Key]) -> Table:
    now = datetime.now(UTC)
    table = Table("id", "name", "scopes", "services", "made", "expires")
    for key in keys:
        table.add_row(
            key.id,
            escape(key.name),
            ", ".join(sorted(key.scopes)),
            "all" if key.services is None else ", ".join(sorted(key.services)),
            f"{key.created:%Y-%m-%d}",
            "never" if key.expires is None else f"{key.expires:%Y-%m-%d %H:%M %Z}" + _past(key, now),
        )
    return table


@app.command()
def remove(
    which: Annotated[str, typer.Argument(help="Its id, or its name where only one has that.")], file: File = _FILE
) -> None:
    """Take a key back: services refuse it within a second or two."""

    def without(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        found = [key for key in keys if key.id == which] or [key for key in keys if key.name == which]
        if len(found) != 1:
            ids = ", ".join(key.id for key in found)
            raise CommandError(
                f"{len(found)} keys are named {which!r}: {ids}" if found else f"there is no key {which!r}"
            )
        return tuple(key for key in keys if key is not found[0])

    with _failing():
        if not file.exists():
            raise CommandError(f"there is no file {file}")
        change_keys(file, without)
    Console(stderr=True).print(f"removed {escape(which)} from {escape(str(file))}", soft_wrap=True)


@app.command()
def first(
    first_key: Annotated[Path, typer.Option(help="Where the first key's text goes, for an operator to read.")],
    stack_keys: Annotated[Path, typer.Option(help="Directory of the keys that services ask each other with.")],
    metrics_key: Annotated[Path, typer.Option(help="Where the key's text goes that a scraper reads /metrics with.")],
    how: Annotated[
        str,
        typer.Option(
            envvar="TRUSTVQA_KEYS_HOW", help="The command that shows the first key; it is said at every start."
        ),
    ],
    file: File = _FILE,
) -> None:
    """Make what a stack of containers needs, unless it is there already; no key is printed."""
    with _failing():
        made = make_stack_keys(file, first_key, stack_keys, metrics_key, now=datetime.now(UTC))
    typer.echo("made a first key, which may do everything" if made else "keys are there; nothing was changed")
    if first_key.exists():
        typer.echo(f"to read it:\n\n    {how}\n")


@app.command()
def show(first_key: Annotated[Path, typer.Option(envvar="TRUSTVQA_FIRST_KEY", help="Where it is.")]) -> None:
    """Print the first key that `first` made, alone, on standard output."""
    with _failing():
        text = read_first_key(first_key)
    typer.echo(text)


def read_time(text: str, now: datetime) -> datetime:
    """Read when a key expires.

    Args:
        text: Days from now (90d), a date (UTC), or a time in ISO 8601.
        now: The time.

    Raises:
        CommandError: If it is none of these, or is past.
    """
    if match := _DAYS.fullmatch(text):
        return now + timedelta(days=int(match[1]))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--expires {text}: give days (90d), a date (2027-01-31) or a time in ISO 8601") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found <= now:
        raise CommandError(f"--expires {text}: that is past")
    return found


def _past(key: Key, now: datetime) -> str:
    return " (past)" if key.has_expired(now) else ""


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except (CommandError, KeysError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    app()
