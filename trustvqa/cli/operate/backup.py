"""`trustvqa backup` and `trustvqa restore`: records and registry in one file, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated

import typer
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict
from rich.console import Console
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from prompt4trust.files import written_atomically
from services.common.http.health import software_version
from services.common.settings import ServiceSettings
from services.common.startup import SettingsFaultError, settings_of
from services.gateway.settings import GatewaySettings
from trustvqa.cli.errors import BackupError, CopyError, fail
from trustvqa.cli.operate.archive import RECORDS, REGISTRY, ArchiveWriter, Manifest, RecordsState
from trustvqa.cli.operate.backup_sources import copied_records, registry_files
from trustvqa.cli.operate.restore import Storage, check, restore_into

_ELSEWHERE = (
    "the records are in PostgreSQL, which has its own programs: pg_dump and pg_restore (docs/operations.md). "
    "--no-records leaves them to these"
)
_STREAM = "-"

_Registry = Annotated[Path | None, typer.Option(help="Its directory; by default the gateway's.")]
_Records = Annotated[str | None, typer.Option(help="sqlite:///file; by default where the gateway keeps them.")]
_NoRecords = Annotated[bool, typer.Option("--no-records", help="Leave the records out.")]


class StorageSettings(ServiceSettings, service="gateway"):
    """The settings of a gateway that name its places; of its section nothing else matters here."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    records_url: SecretStr = Field(default=SecretStr("sqlite:///var/records.db"))


def backup(
    out: Annotated[str, typer.Option(help="The file to write, or - for standard output.")],
    registry: _Registry = None,
    records: _Records = None,
    no_records: _NoRecords = False,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the file.")] = False,
) -> None:
    """Copy records (SQLite) and registry into one file, while the services go on."""
    console = Console(stderr=True)
    with _failing():
        storage = _storage(registry, records, no_records=no_records)
        if storage.records is not None and not storage.records.is_file():
            raise CopyError(f"there are no records at {storage.records}; --no-records leaves them out")
        if not storage.registry.is_dir():
            raise CopyError(f"there is no registry at {storage.registry}")
        with _written(out, replace=replace) as stream:
            manifest = _back_up(storage, stream)
    console.print(_summary("backed up", manifest), highlight=False, soft_wrap=True)


def restore(
    archive: Annotated[str, typer.Argument(help="The backup, or - for standard input.")],
    registry: _Registry = None,
    records: _Records = None,
    no_records: _NoRecords = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace what is there.")] = False,
    check_only: Annotated[bool, typer.Option("--check", help="Only see whether the backup is whole.")] = False,
) -> None:
    """Put a backup's records and registry in their places; stop the services first."""
    console = Console(stderr=True)
    with _failing(), _read(archive) as stream:
        if check_only:
            done, manifest = "whole", check(stream)
        else:
            storage = _storage(registry, records, no_records=no_records)
            done, manifest = "restored", restore_into(stream, storage, replace=replace)
            if storage.records is None:
                done = "restored, without records"
    console.print(_summary(done, manifest), highlight=False, soft_wrap=True)


def _back_up(storage: Storage, stream: IO[bytes]) -> Manifest:
    created = datetime.now(UTC)
    writer = ArchiveWriter(stream)
    state: RecordsState | None = None
    try:
        # Records first: what they name was published before, and is in the registry when that is copied.
        if storage.records is not None:
            with copied_records(storage.records) as (copy, state):
                writer.add(RECORDS, copy)
        for path, content in registry_files(storage.registry):
            name = f"{REGISTRY}{path.relative_to(storage.registry).as_posix()}"
            if content is None:
                writer.add(name, path)
            else:
                writer.add_bytes(name, content, path.stat().st_mode)
        return writer.finish(software_version(), created, state)
    except BaseException:
        writer.give_up()
        raise


def _storage(registry: Path | None, records: str | None, *, no_records: bool) -> Storage:
    try:
        settings = settings_of(StorageSettings, whole=GatewaySettings)
    except SettingsFaultError as error:
        raise CopyError(str(error)) from error
    url = records if records is not None else settings.records_url.get_secret_value()
    return Storage(registry or settings.registry, None if no_records else _file_of(url))


def _file_of(url: str) -> Path | None:
    if not url:
        return None
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise CopyError("the records' address is none: say sqlite:///file") from None
    if parsed.get_backend_name() != "sqlite":
        raise CopyError(_ELSEWHERE)
    if not parsed.database or parsed.database == ":memory:":
        raise CopyError("the records' address names no file")
    return Path(parsed.database)


@contextmanager
def _written(out: str, *, replace: bool) -> Iterator[IO[bytes]]:
    """Give a stream whose content appears under its name, readable by its owner alone, once all is on the disk."""
    if out == _STREAM:
        if sys.stdout.isatty():
            raise CopyError("a backup is no text: send it into a file, or name one with --out")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(out)
    if path.exists() and not replace:
        raise CopyError(f"{path} exists; --replace overwrites it")
    with written_atomically(path) as stream:
        yield stream


@contextmanager
def _read(archive: str) -> Iterator[IO[bytes]]:
    if archive == _STREAM:
        yield sys.stdin.buffer
        return
    with Path(archive).open("rb") as stream:
        yield stream


@contextmanager
def _failing() -> Iterator[None]:
    """End the command with a message and status 2 where it cannot do what it is to."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (BackupError, OSError) as error:
        said = str(error)
    else:
        return
    fail(said, 2)


def _summary(done: str, manifest: Manifest) -> str:
    size = sum(each.bytes for each in manifest.files.values())
    held = f"{len(manifest.files)} files, {size / 1e6:.1f} MB"
    if manifest.records is not None:
        kept = manifest.records
        held += f"; {kept.answers} answers and {kept.feedback} times feedback, tables at {kept.revision}"
        held += f", hashes under key {kept.hash_key}, whose secret is elsewhere" if kept.hash_key else ""
    return f"{done}: {held}; of {manifest.created:%Y-%m-%d %H:%M:%S} UTC by version {manifest.software}"
