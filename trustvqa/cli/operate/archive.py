"""A backup's file: a tar with a manifest as its last member, so that what was cut off shows for what it is.

Layout::

    records.db                 SQLite's file, as it was at one moment; absent where the records are elsewhere
    registry/...               the registry's files under their names
    manifest.json              Manifest: what the archive holds, with SHA-256 of every file
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from trustvqa.cli.errors import ArchiveError

RECORDS = "records.db"
REGISTRY = "registry/"
MANIFEST = "manifest.json"
_LONGEST_MANIFEST = 64 << 20
_PIECE = 1 << 20


class ArchivedFile(BaseModel):
    """Digest and length of a file of the archive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class RecordsState(BaseModel):
    """The content of the copied records.

    Attributes:
        revision: Of the tables; a version of the software that does not know it refuses the database.
        answers: How many.
        feedback: How many times somebody spoke of one.
        hash_key: Name of the key of the newest answer's hashes; None where they are plain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str | None
    answers: int
    feedback: int
    hash_key: str | None = None


class Manifest(BaseModel):
    """The content of a backup.

    Attributes:
        format: Of the archive.
        software: Version of the software that wrote it.
        created: When it was begun.
        records: Of the records; None where it holds none.
        files: Every file but this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    software: str
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    records: RecordsState | None
    files: dict[str, ArchivedFile]


class Readable(Protocol):
    """A stream that a file of an archive is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Read on."""


class ArchiveWriter:
    """Writes an archive from front to back, to a file or a pipe.

    Args:
        stream: Where it goes.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - see finish
        self._files: dict[str, ArchivedFile] = {}

    def add(self, name: str, path: Path) -> None:
        """Copy a file; one that is replaced meanwhile is copied as it was.

        Raises:
            OSError: If it cannot be read, or shrinks.
        """
        with path.open("rb") as stream:
            info = self._tar.gettarinfo(arcname=name, fileobj=stream)
            # A link's target is what a reader of the registry sees.
            info.type, info.linkname = tarfile.REGTYPE, ""
            self._add(info, stream)

    def add_bytes(self, name: str, content: bytes, mode: int) -> None:
        """Add a file that was read already."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(content), mode & 0o777, int(datetime.now(UTC).timestamp())
        self._add(info, io.BytesIO(content))

    def finish(self, software: str, created: datetime, records: RecordsState | None) -> Manifest:
        """Add the manifest and end the archive."""
        manifest = Manifest(software=software, created=created, records=records, files=self._files)
        content = manifest.model_dump_json(indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mtime = len(content), int(created.timestamp())
        self._tar.addfile(info, io.BytesIO(content))
        self._tar.close()
        return manifest

    def give_up(self) -> None:
        """Leave the archive as it is; whoever reads it finds that it was cut off."""
        # Else its end would be written once nothing refers to it, and its stream is closed by then.
        vars(self._tar.fileobj)["closed"] = True

    def _add(self, info: tarfile.TarInfo, stream: Readable) -> None:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        hashing = _Hashing(stream)
        self._tar.addfile(info, hashing)
        self._files[info.name] = ArchivedFile(sha256=hashing.hexdigest(), bytes=info.size)


def read_archive(stream: IO[bytes], take: Callable[[str, int, Readable], None]) -> Manifest:
    """Go through the files of an archive, each once and in its order, and see to it that it is whole.

    Args:
        stream: The archive.
        take: Called for each file but the manifest: name, permissions, content. What it does not read is read here.

    Returns:
        The archive's content.

    Raises:
        ArchiveError: If it is no backup, is cut off, or a file is not what the manifest says.
    """
    seen: dict[str, ArchivedFile] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for info in tar:
                content = tar.extractfile(info) if info.isfile() else None
                if content is None or not _is_safe(info.name) or info.name in seen:
                    raise ArchiveError(f"{info.name!r} does not belong into a backup")
                if info.name == MANIFEST:
                    if info.size > _LONGEST_MANIFEST:
                        raise ArchiveError("its manifest is too long")
                    manifest = Manifest.model_validate_json(content.read())
                    _compare(manifest, seen)
                    return manifest
                hashing = _Hashing(content)
                take(info.name, info.mode & 0o777, hashing)
                while hashing.read(_PIECE):
                    pass
                seen[info.name] = ArchivedFile(sha256=hashing.hexdigest(), bytes=info.size)
    except tarfile.TarError as error:
        raise ArchiveError(f"it is no tar file, or not a whole one: {error}") from error
    except ValidationError as error:
        raise ArchiveError(f"its manifest is not one of this version's: {error.error_count()} errors") from error
    raise ArchiveError("it has no manifest: it was cut off, or is no backup")


def _compare(manifest: Manifest, seen: dict[str, ArchivedFile]) -> None:
    for name in sorted(manifest.files.keys() | seen.keys()):
        if manifest.files.get(name) != seen.get(name):
            kind = "is missing" if name not in seen else "is not what was backed up"
            raise ArchiveError(f"{name} {kind}")


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    is_inside = not path.is_absolute() and ".." not in path.parts and str(path) == name
    return is_inside and (name in (RECORDS, MANIFEST) or name.startswith(REGISTRY))


class _Hashing:
    """Reads a stream and hashes what was read."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        try:
            piece = self._stream.read(size)
        except tarfile.TarError as error:
            raise ArchiveError(f"it was cut off: {error}") from error
        self._digest.update(piece)
        return piece

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
