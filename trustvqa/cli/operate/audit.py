"""`trustvqa audit`: prove the audit log of a gateway's records, and hand it on."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from services.gateway.records.audit.chain import ChainKey
from services.gateway.records.audit.entry import moment
from services.gateway.records.audit.export import NoExportError, TornFileError, exported, lines_of, verify_file
from services.gateway.records.audit.log import read_head
from services.gateway.records.audit.report import MOST_FINDINGS, AuditReport, audit
from services.gateway.records.connection.database import Database
from services.gateway.records.connection.hash_key import HashKey, secret_file
from services.gateway.records.connection.prepared_database import chain_key
from services.gateway.records.errors import HashSecretError
from services.gateway.records.migrations.upgrading import NewerDatabaseError, OlderDatabaseError
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.operate.audit_storage import AuditSettings, audit_settings, database_of
from trustvqa.cli.output import AsJson, print_result

T = TypeVar("T")

FOUND, TORN, UNREADABLE = 1, 4, 2
"""Statuses: something was found; a file was not written to its end; nothing could be read."""

_LEAST: Final = 32

app = typer.Typer(
    name="audit",
    help="The audit log of a gateway's records: prove that nobody changed it, and hand it on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

Records = Annotated[
    str | None, typer.Option(help="sqlite:///file or postgresql://...; by default where the gateway keeps them.")
]
SecretFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--secret-file",
        help="File with the secret of the audit log, or of the records' hashes where it has none of its own; by "
        "default what the gateway uses. Repeated for secrets of before.",
    ),
]


class Form(StrEnum):
    """A form of an export."""

    NDJSON = "ndjson"
    FHIR = "fhir"


@app.command()
def verify(
    records: Records = None,
    secret_file: SecretFiles = None,
    head: Annotated[
        str | None, typer.Option(help="A head that was noted before, NUMBER:SEAL: the log must have gone on from it.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="An export as NDJSON to verify instead of the database.")] = None,
    log_only: Annotated[
        bool, typer.Option("--log-only", help="Do not compare answers and reviews with their entries.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find whatever was edited, removed, inserted or moved, and name the place; status 1 where something was."""
    settings = audit_settings()
    if file is not None:
        report = _verify_file(file, settings, records, secret_file)
    else:
        report = _on_database(
            settings,
            records,
            secret_file,
            lambda connection, keys: audit(connection, keys, anchor=head, with_records=not log_only),
        )
    print_result(_told(report), lambda _: "\n".join(_lines(report)), as_json=as_json)
    if not report.is_whole:
        raise typer.Exit(FOUND)


@app.command("head")
def show_head(records: Records = None, secret_file: SecretFiles = None) -> None:
    """Print the head of the log, NUMBER:SEAL: noted elsewhere, it shows later that nothing behind it was cut off."""
    found = _on_database(audit_settings(), records, secret_file, lambda connection, _: read_head(connection))
    typer.echo(found.anchor)


@app.command()
def export(
    form: Annotated[Form, typer.Option("--format", help="NDJSON, which can be verified; or FHIR AuditEvent.")],
    records: Records = None,
    secret_file: SecretFiles = None,
    since: Annotated[datetime | None, typer.Option(help="Entries of this time (UTC) or later.")] = None,
) -> None:
    """Write the log to standard output, a line for each entry; FHIR's resources are a line each too."""

    def write(connection: Connection, keys: Mapping[str, ChainKey]) -> None:
        from services.gateway.records.audit.fhir import audit_event  # its library takes a second to import

        start = None if since is None else moment(since if since.tzinfo else since.astimezone())
        stretch, found = exported(connection, next(iter(keys.values())), start)
        if form is Form.NDJSON:
            for line in lines_of(stretch, found):
                sys.stdout.write(line)
        else:
            for entry in found:
                sys.stdout.write(json.dumps(audit_event(entry, stretch.log)) + "\n")
        sys.stdout.flush()

    _on_database(audit_settings(), records, secret_file, write)


def _on_database(
    settings: AuditSettings,
    records: str | None,
    secret_files: list[Path] | None,
    work: Callable[[Connection, Mapping[str, ChainKey]], T],
) -> T:
    """Do work on the database as it is at one moment; end the command with a message where that cannot be."""

    async def on_one_moment(database: Database, keys: Mapping[str, ChainKey]) -> T:
        try:
            await database.prepare()
            level = {"isolation_level": "REPEATABLE READ"} if database.file is None else {}
            async with database.engine.connect() as plain:
                connection = await plain.execution_options(**level)
                return await connection.run_sync(lambda held: work(held, keys))
        finally:
            await database.close()

    try:
        database = database_of(settings, records)
        keys = _keys(settings, database.file, secret_files)
        return asyncio.run(on_one_moment(database, keys))
    except (CommandError, HashSecretError, OlderDatabaseError, NewerDatabaseError, OSError, ValueError) as error:
        said = str(error)
    except SQLAlchemyError as error:
        # A message of SQLAlchemy's may quote the address, and with it a password.
        said = f"the records' database cannot be used: {type(getattr(error, 'orig', None) or error).__name__}"
    return fail(said, UNREADABLE)


def _keys(settings: AuditSettings, database: Path | None, files: list[Path] | None) -> dict[str, ChainKey]:
    """Find the keys of the log: the one in force first."""
    if files:
        # Whether a file holds the log's own secret or that of the hashes, nobody need know: both are tried.
        found = [key for each in files for key in _both(_read(each))]
    else:
        own = settings.audit_secret.get_secret_value() if settings.audit_secret is not None else None
        hashes = settings.record_hash_secret
        if hashes is not None:
            found = [chain_key(HashKey(hashes.get_secret_value()), own)]
        elif own is not None:
            found = [ChainKey(own.encode())]
        elif database is not None:
            found = [chain_key(HashKey(_read(secret_file(database))), None)]
        else:
            raise CommandError("the secret of the audit log is missing: give --secret-file")
    return {key.id: key for key in found}


def _both(secret: str) -> list[ChainKey]:
    return [chain_key(HashKey(secret), None), ChainKey(secret.encode())]


def _read(file: Path) -> str:
    secret = file.read_text(encoding="ascii", errors="replace").strip()
    if len(secret) < _LEAST:
        raise CommandError(f"{file} holds no secret of at least {_LEAST} characters")
    return secret


def _verify_file(
    file: Path, settings: AuditSettings, records: str | None, secret_files: list[Path] | None
) -> AuditReport:
    from services.gateway.records.audit.chain import Head

    try:
        keys = _keys(settings, None if secret_files else database_of(settings, records).file, secret_files)
        count: dict[str, int] = {}
        report = AuditReport(Head())
        with closing(file.open("rb")) as opened:
            report.take(verify_file(opened, keys, count))
        report.entries = count.get("entries", 0)
    except TornFileError as error:
        fail(f"{file}: {error}; that is no tampering: export again", TORN)
    except (CommandError, HashSecretError, NoExportError, OSError) as error:
        fail(f"{file}: {error}", UNREADABLE)
    return report


def _told(report: AuditReport) -> dict[str, object]:
    return {
        "whole": report.is_whole,
        "entries": report.entries,
        "head": report.head.anchor,
        "first": report.head.first,
        "log": [{"fault": each.fault, "first": each.first, "last": each.last} for each in report.findings],
        "records": [{"what": each.what, "name": each.name, "fault": each.fault} for each in report.records],
        "more": report.more,
    }


def _lines(report: AuditReport) -> Iterator[str]:
    yield from map(str, (*report.findings, *report.records))
    if report.more:
        yield f"and {report.more} more: {MOST_FINDINGS} of each sort are listed"
    state = "whole" if report.is_whole else "NOT whole"
    since = f", from entry {report.head.first} on" if report.head.first > 1 else ""
    noted = f"; head {report.head.anchor}" if report.head.number else ""
    yield f"the audit log is {state}: {report.entries} entries{since}{noted}"
