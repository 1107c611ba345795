"""Faults of what lies on disks: the records, and the registry's files."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.system.faults.fault import Begin
from tests.system.faults.site import Site


@asynccontextmanager
async def disk_full(site: Site) -> AsyncIterator[None]:
    """Fill the disk of the records; where it is not a small one of their own, let the gateway's files grow no more."""
    folder, filler = site.records.parent, site.records.parent / "filler"
    pid = site.gateway.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    if folder.is_mount():
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)
    else:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@asynccontextmanager
async def database_locked(site: Site) -> AsyncIterator[None]:
    """Hold the records' database, as a backup by the wrong tool does."""
    with contextlib.closing(sqlite3.connect(site.records, isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@asynccontextmanager
async def database_corrupted(site: Site) -> AsyncIterator[None]:
    """Overwrite all pages of the records; then an operator stops the gateway, takes a new file and starts it."""
    for path in (site.records, site.records.with_name(f"{site.records.name}-wal")):
        path.write_bytes(b"\xa5" * path.stat().st_size)
    try:
        yield
    finally:
        await asyncio.to_thread(site.gateway.stop)
        for path in site.records.parent.glob(f"{site.records.name}*"):
            path.unlink()
        await asyncio.to_thread(site.gateway.start)


@asynccontextmanager
async def database_moved(site: Site) -> AsyncIterator[None]:
    """Move the records' file away under the running gateway, as a restore in the wrong order does, and put it back."""
    away = site.records.parent / "away"
    away.mkdir()
    for path in site.records.parent.glob(f"{site.records.name}*"):
        path.rename(away / path.name)
    try:
        yield
    finally:
        for path in site.records.parent.glob(f"{site.records.name}*"):
            path.unlink()
        for path in away.iterdir():
            path.rename(site.records.parent / path.name)
        away.rmdir()


# --- The registry -----------------------------------------------------------------------------------------------------


def spoilt(which: Callable[[Site], Path], how: Callable[[bytes], bytes], *, restarted: bool = False) -> Begin:
    """Spoil a file of the registry in place, as a failing disk does; with `restarted` the gateway starts on it."""

    @asynccontextmanager
    async def begin(site: Site) -> AsyncIterator[None]:
        path = which(site)
        whole = path.read_bytes()
        path.write_bytes(how(whole))
        try:
            if restarted:
                await site.restart()
            yield
        finally:
            path.write_bytes(whole)

    return begin


def active_file(site: Site) -> Path:
    """The file that names what is live."""
    return site.registry / "active.json"


def half(content: bytes) -> bytes:
    """Cut a file in the middle."""
    return content[: len(content) // 2]


def other_json(_: bytes) -> bytes:
    """Put other JSON in a file's place."""
    return b'["not", "what", "was", "here"]\n'


def flipped(near: bytes) -> Callable[[bytes], bytes]:
    """Flip the lowest bit of the first digit after some bytes: the file stays well-formed JSON."""

    def flip(content: bytes) -> bytes:
        start = content.index(near) + len(near)
        place = next(i for i in range(start, len(content)) if content[i : i + 1].isdigit())
        return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]

    return flip
