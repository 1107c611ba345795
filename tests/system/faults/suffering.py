"""A site suffers a fault: it begins, shows, ends, and all is right again; what was seen is a row of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.system.faults.fault import Fault
from tests.system.faults.questions import Outcome
from tests.system.faults.site import Held, Site, record_faults, settled, stored

_SHOWS_S = 40.0
_FDS_MORE = 8
"""Connections of pools that were not open before."""
_RSS_MORE_MB = 40.0


@dataclass(frozen=True, slots=True)
class Row:
    """Everything that was seen of a fault.

    Attributes:
        fault: The fault.
        requests: Questions whose fate became known while it lasted and until all was right again.
        kinds: How many of them were right, flagged, refused, cut and wrong.
        recovery_s: Seconds from its end to the last outcome that was not right.
        before: Resources of the gateway before it.
        after: And after it.
        complaints: Whatever was not as promised.
    """

    fault: Fault
    requests: int
    kinds: dict[str, int]
    recovery_s: float
    before: Held
    after: Held
    complaints: tuple[str, ...]


async def suffer(site: Site, fault: Fault, count: int = 12, slack: float = 1.0) -> Row:
    """Let a fault happen.

    Args:
        site: What it happens to.
        fault: The fault.
        count: How many questions get their outcome while it lasts, at least.
        slack: How many times the fault's recovery is allowed: more than once where others keep the machine busy.
    """
    load = site.load
    await site.until_stored()
    before, start = site.held(), len(load.outcomes)
    known = set() if fault.loses_records else set(stored(site.records))
    complaints: list[str] = []
    try:
        async with fault.begin(site):
            await load.until_answered(count, fault.shows, _SHOWS_S)
    except TimeoutError:
        complaints.append("it did not show")
    try:
        recovery = await load.until_right_again(slack * fault.recovery_s + 30)
    except TimeoutError:
        recovery = float("inf")
    outcomes = load.since(start)
    if recovery > slack * fault.recovery_s:
        complaints.append(f"all was right only {recovery:.1f} s after it, not {fault.recovery_s:g} s")
    complaints += _complaints(outcomes, fault)
    complaints += await _record_complaints(site, fault, start, known)
    after, said = await _after(site, before, complaints)
    return Row(fault, len(outcomes), dict(Counter(each.kind for each in outcomes)), recovery, before, after, said)


def _complaints(outcomes: Sequence[Outcome], fault: Fault) -> Iterable[str]:
    for outcome in outcomes:
        if outcome.kind == "wrong" or (outcome.kind == "cut" and not fault.cuts):
            yield f"{outcome.kind}: {outcome.detail}"


async def _record_complaints(site: Site, fault: Fault, start: int, known: set[str]) -> list[str]:
    await site.until_stored()
    if fault.loses_records:
        return []
    faults: list[str] = []

    def agree() -> bool:
        # An answer may be stored whose reply is on its way.
        faults[:] = record_faults(site.load.since(start), stored(site.records), known, site.hung_up)
        return not faults

    await settled(agree, 5)
    return faults


async def _after(site: Site, before: Held, complaints: list[str]) -> tuple[Held, tuple[str, ...]]:
    def is_flat() -> bool:
        after = site.held()
        return after.fds <= before.fds + _FDS_MORE and after.rss_mb <= before.rss_mb + _RSS_MORE_MB

    if not await settled(is_flat, 20):
        complaints.append(f"it holds {site.held()}, before {before}")
    return site.held(), tuple(complaints)


def table(rows: Sequence[Row]) -> str:
    """Write rows as a table of Markdown."""
    kinds = ("right", "flagged", "refused", "cut", "wrong")
    lines = [
        f"| fault | requests | {' | '.join(kinds)} | recovery s (allowed) | fds | RSS MB |",
        f"|---|{'---:|' * (len(kinds) + 4)}",
    ]
    for row in rows:
        numbers = " | ".join(str(row.kinds.get(kind, 0)) for kind in kinds)
        recovery = f"{row.recovery_s:.1f} ({row.fault.recovery_s:g})"
        fds = f"{row.before.fds} → {row.after.fds}"
        memory = f"{row.before.rss_mb:.0f} → {row.after.rss_mb:.0f}"
        lines.append(f"| {row.fault.name} | {row.requests} | {numbers} | {recovery} | {fds} | {memory} |")
    return "\n".join(lines)
