"""Hours of load with a fault a minute: python -m tests.system.faults.soak (or `make soak`).

SOAK_MINUTES (30) says how long, SOAK_MODELS what answers: `miniatures`, or `light` stand-ins that reply at once.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from scipy import stats

from tests.system.conftest import running_stack
from tests.system.faults.catalogue import CATALOGUE
from tests.system.faults.fault import Fault
from tests.system.faults.light_models import light_models
from tests.system.faults.site import Site, opened, record_faults, settled, stored
from tests.system.own_gateway import Models

_SHARE = 0.8
"""Of the answers a second that were measured before: so much is asked."""
_MEASURED = 300
_AT_ONCE = 16
_DISK_MB = 512
"""Room for the records of some two hundred thousand answers."""
_SAMPLE_S = 5.0
_LEFT_OUT = ("gateway", "SIGKILL", "corrupted", "clock", "active.json other")
"""Faults that end the gateway, whose memory is looked at from beginning to end, or a model that takes long to load."""


@dataclass
class Seen:
    """Everything that a soak has seen.

    Attributes:
        memory: Seconds since the beginning, MB of the gateway.
        faults: How often each fault was.
        complaints: Whatever was not as promised.
    """

    memory: list[tuple[float, float]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


async def soak(models: Models, folder: Path, minutes: float, faults: list[Fault]) -> int:
    """Soak a gateway; print what came of it; return how many things were not as promised."""
    seen, draw = Seen(), random.Random(0)
    async with opened(models, folder, _AT_ONCE, _DISK_MB) as site:
        load = site.load
        before, begun = len(load.outcomes), load.now()
        await load.until_answered(_MEASURED, lambda _: True, 300)
        capacity = (len(load.outcomes) - before) / (load.now() - begun)
        load.rate = _SHARE * capacity
        _say(f"{capacity:.1f} answers/s were measured, {load.rate:.1f} are asked for {minutes:g} minutes")
        known, start, begun = set(stored(site.records)), len(load.outcomes), load.now()
        sampling = asyncio.create_task(_sample(site, seen, begun))
        while load.now() - begun < 60 * minutes:
            minute = load.now()
            await _suffer(site, draw.choice(faults), seen)
            await asyncio.sleep(max(0.0, minute + 60 - load.now()))
        sampling.cancel()
        load.rate = 0.1  # nearly nobody asks while the books are compared
        await site.until_stored(60)
        outcomes = load.since(start)
        found: list[str] = []

        def agree() -> bool:
            found[:] = record_faults(load.since(start), stored(site.records), known, site.hung_up)
            return not found

        await settled(agree, 20)
        seen.complaints += found
        kinds: Counter[str] = Counter(each.kind for each in outcomes)
        seen.complaints += [f"{each.kind}: {each.detail}" for each in outcomes if each.kind in ("wrong", "cut")]
        _report(seen, kinds, load.now() - begun)
    return len(seen.complaints)


async def _suffer(site: Site, fault: Fault, seen: Seen) -> None:
    seen.faults[fault.name] += 1
    try:
        async with fault.begin(site):
            await site.load.until_answered(12, fault.shows, 40)
    except TimeoutError:
        seen.complaints.append(f"{fault.name} did not show")
    try:
        recovery = await site.load.until_right_again(fault.recovery_s + 30)
    except TimeoutError:
        recovery = float("inf")
    if recovery > fault.recovery_s:
        seen.complaints.append(
            f"after {fault.name} all was right only {recovery:.1f} s later, not {fault.recovery_s:g}"
        )


async def _sample(site: Site, seen: Seen, begun: float) -> None:
    while True:
        seen.memory.append((site.load.now() - begun, site.held().rss_mb))
        await asyncio.sleep(_SAMPLE_S)


def slope(memory: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Estimate how memory grows, in MB an hour, with a 95 % interval: a line through each minute's median.

    Samples of one minute are much alike; medians of minutes are nearly independent. The first fifth, in which pools and
    caches fill, is left out.
    """
    begins = memory[-1][0] / 5
    by_minute: dict[int, list[float]] = {}
    for at, held in memory:
        if at >= begins:
            by_minute.setdefault(int(at // 60), []).append(held)
    if len(by_minute) < 3:
        return float("nan"), float("nan"), float("nan")
    line = stats.linregress(
        [minute / 60 for minute in by_minute], [float(np.median(held)) for held in by_minute.values()]
    )
    margin = float(stats.t.ppf(0.975, len(by_minute) - 2)) * line.stderr
    return line.slope, line.slope - margin, line.slope + margin


def _report(seen: Seen, kinds: Counter[str], seconds: float) -> None:
    total = kinds.total()
    counts = ", ".join(f"{kinds.get(kind, 0)} {kind}" for kind in ("right", "flagged", "refused", "cut", "wrong"))
    _say(f"{total} requests in {seconds / 60:.1f} minutes ({total / seconds:.1f}/s): {counts}")
    _say(
        f"{seen.faults.total()} faults: {', '.join(f'{name} x {count}' for name, count in sorted(seen.faults.items()))}"
    )
    grows, low, high = slope(seen.memory)
    first, last = seen.memory[0][1], seen.memory[-1][1]
    _say(f"memory {first:.0f} MB at the beginning, {last:.0f} at the end; {grows:+.1f} MB/h [{low:.1f}, {high:.1f}]")
    for complaint in list(dict.fromkeys(seen.complaints))[:20]:
        _say(f"    {complaint[:400]}")
    _say(f"{len(seen.complaints)} not as promised")


def _say(text: str) -> None:
    Console(soft_wrap=True).print(text, highlight=False, markup=False)


def main() -> int:
    """Soak; return whether anything was not as promised."""
    minutes, kind = float(os.environ.get("SOAK_MINUTES", "30")), os.environ.get("SOAK_MODELS", "miniatures")
    chosen = [fault for fault in CATALOGUE if not any(word in fault.name for word in _LEFT_OUT)]
    with tempfile.TemporaryDirectory() as made, ExitStack() as running:
        folder = Path(made)
        (folder / "site").mkdir()
        if kind == "light":
            models: Models = running.enter_context(light_models())
            chosen = [fault for fault in chosen if "SIGSTOP" not in fault.name]
        else:
            models = running.enter_context(running_stack(folder))
        return bool(asyncio.run(soak(models, folder / "site", minutes, chosen)))


if __name__ == "__main__":
    sys.exit(main())
