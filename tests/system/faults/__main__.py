"""All faults, one after the other: python -m tests.system.faults (or `make test-faults`)."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.system.conftest import running_stack
from tests.system.faults.catalogue import CATALOGUE
from tests.system.faults.site import opened
from tests.system.faults.suffering import Row, suffer, table


async def _all(folder: Path, names: list[str]) -> list[Row]:
    chosen = [fault for fault in CATALOGUE if not names or any(name in fault.name for name in names)]
    rows = []
    with running_stack(folder) as stack:
        (folder / "site").mkdir()
        async with opened(stack, folder / "site") as site:
            for fault in chosen:
                row = await suffer(site, fault)
                _say(table([row]).splitlines()[-1])
                for complaint in dict.fromkeys(row.complaints):
                    _say(f"    {complaint[:600]}")
                rows.append(row)
    return rows


def _say(text: str) -> None:
    Console(soft_wrap=True).print(text, highlight=False, markup=False)


def main() -> int:
    """Print the table; return whether anything was not as promised."""
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_all(Path(folder), sys.argv[1:]))
    _say(table(rows))
    failed = [row for row in rows if row.complaints]
    _say(f"{len(rows)} faults, {sum(row.requests for row in rows)} requests, {len(failed)} not as promised")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
