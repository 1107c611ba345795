"""Measure the audit log: python -m benchmarks.audit (or `make bench-audit`)."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from services.gateway.database_url import database_url
from services.gateway.records.audit.chain import ChainKey
from services.gateway.records.audit.entry import AuditedEvent, Kind
from services.gateway.records.audit.log import AuditLog
from services.gateway.records.audit.report import audit
from services.gateway.records.connection.database import Database

_AT_ONCE = 256  # as many records as a gateway writes in one transaction at most
_DIGEST = "ab" * 32


def main(
    entries: Annotated[int, typer.Option(min=1, help="Entries of the log.")] = 1_000_000,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "audit"
    / "results.json",
) -> None:
    """Write a log of answers into SQLite, and prove it."""
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as folder:
        file = Path(folder) / "records.db"
        figures = asyncio.run(_measure(file, entries))
        figures["bytes_an_entry"] = file.stat().st_size / entries
    write_figures(output, {"entries": entries, "cores": os.cpu_count(), **figures})
    typer.echo(", ".join(f"{name} {value:.3g}" for name, value in figures.items()))


async def _measure(file: Path, count: int) -> dict[str, float]:
    database = Database(database_url(f"sqlite:///{file}"), timeout_s=60.0)
    await database.prepare()
    key = ChainKey(bytes(range(32)))
    log = AuditLog(key)
    start = time.perf_counter()
    for first in range(1, count, _AT_ONCE):  # the log's own first entry is one of them
        events = [_event() for _ in range(min(_AT_ONCE, count - first))]
        await database.write(partial(log.append, events=events))
    written = time.perf_counter() - start

    def prove(connection: Connection) -> tuple[int, bool]:
        report = audit(connection, {key.id: key}, with_records=False)
        return report.entries, report.is_whole

    start = time.perf_counter()
    async with database.reading() as connection:
        read, is_whole = await connection.run_sync(prove)
    proved = time.perf_counter() - start
    await database.close()
    assert (read, is_whole) == (count, True)
    return {"write_us_an_entry": 1e6 * written / count, "verify_s": proved}


def _event() -> AuditedEvent:
    """Make the event of an answer, of the length that such have."""
    names = ("image_sha256", "question_sha256", "options_sha256", "record", "reply")
    body: dict[str, Any] = {
        **dict.fromkeys(names, _DIGEST),
        **{"answer": str(uuid.uuid4()), "request": uuid.uuid4().hex, "client": "1a2b3c4d"},
        **{"downstream": "downstream-mini-1", "policy": "policy-mini-grpo-1", "estimator": "cgp+logprob"},
        "answer_template": "answer-compact@1",
        "calibrator": "several-signal-cgp-logprob-downstream-mini-1-policy-mini-grpo-1-answer-compact-1-563ecf68",
        "guard": "guard-cgp-logprob-downstream-mini-1-policy-mini-grpo-1-answer-compact-1-563ecf68-2",
        **{"decision": "defer", "code": "not-confident-enough"},
    }
    return AuditedEvent(Kind.ANSWER, body, datetime.now(UTC))


if __name__ == "__main__":
    typer.run(main)
