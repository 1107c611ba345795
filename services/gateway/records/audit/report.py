"""One look at the whole: the log, its head, a head that was noted before, and the records that it tells of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from services.gateway.records.audit.chain import ChainKey, Head
from services.gateway.records.audit.entry import LogEntry
from services.gateway.records.audit.log import read_head
from services.gateway.records.audit.reading import entries, seal_of
from services.gateway.records.audit.records_check import RecordFinding, RecordsCheck
from services.gateway.records.audit.verification import ChainFinding, check_anchor, find_tampering, read_anchor

MOST_FINDINGS: Final = 100
"""Findings of each sort that are kept: a log that was renumbered has one for each entry behind that."""


@dataclass(slots=True)
class AuditReport:
    """Result of a look at the log.

    Attributes:
        head: Where the log begins and ends.
        entries: Number of entries that were read.
        findings: Places where the log is not as it was written, the first ones.
        records: Records that are not what the log says, the first ones.
        more: Findings that are not listed.
    """

    head: Head
    entries: int = 0
    findings: list[ChainFinding] = field(default_factory=list)
    records: list[RecordFinding] = field(default_factory=list)
    more: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not (self.findings or self.records)

    def take(self, found: Iterator[ChainFinding] | Iterator[RecordFinding]) -> None:
        """Keep findings, as far as there is room."""
        for each in found:
            kept: list[ChainFinding] | list[RecordFinding] = (
                self.findings if isinstance(each, ChainFinding) else self.records
            )
            if len(kept) < MOST_FINDINGS:
                kept.append(each)  # type: ignore[arg-type]
            else:
                self.more += 1


def audit(
    connection: Connection, keys: Mapping[str, ChainKey], *, anchor: str | None = None, with_records: bool = True
) -> AuditReport:
    """Verify the log of a database.

    Args:
        connection: In a transaction that sees the database as of one moment.
        keys: Names of keys -> the keys that entries may be sealed under.
        anchor: A head that was noted before; see `Head.anchor`.
        with_records: Whether answers and reviews are compared with their entries too.

    Raises:
        ValueError: If the anchor is none.
    """
    report = AuditReport(read_head(connection))
    check = RecordsCheck(report.head, keys) if with_records else None

    def counted() -> Iterator[LogEntry]:
        for entry in entries(connection):
            report.entries += 1
            if check is not None:
                check.see(entry)
            yield entry

    report.take(find_tampering(report.head, counted(), keys))
    if anchor is not None:
        place, _ = read_anchor(anchor)
        if (found := check_anchor(anchor, report.head, seal_of(connection, place))) is not None:
            report.take(iter([found]))
    if check is not None:
        report.take(check.findings(connection))
    return report
