"""The table of pictures of real size, as Markdown, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HEADS = (
    "at once",
    "way",
    "p50 ms (of the peer's)",
    "p95 ms",
    "CPU ms an answer",
    "answers/s",
    "picture downstream, KB",
)
_PEER = "LiteLLM"


def render(found: Mapping[str, Any]) -> Sequence[str]:
    """Write the figures of `side_by_side`, a table a picture."""
    peer = f"beside LiteLLM {found['litellm']}, in turns" if found["litellm"] else "without a peer"
    before, after = found["load_average"]
    lines = [
        f"Pictures of real size, one gateway with records and evidence, {peer}; load average {before:g} before and "
        f"{after:g} after:",
        "",
    ]
    for each in found["pictures"]:
        lines += [f"{each['picture']}:", "", f"| {' | '.join(_HEADS)} |", f"|---:|---|{'---:|' * (len(_HEADS) - 2)}"]
        for ways in each["concurrencies"]:
            lines += [_row(name, way, ways, each["downstream_bytes"][name]) for name, way in ways.items()]
        lines.append("")
    return lines[:-1]


def _row(name: str, way: Mapping[str, Any], ways: Mapping[str, Any], downstream: int) -> str:
    if way["p50_ms"] is None:
        return f"| {way['together']} | {name} | none answered: {way['failed']} | | | | |"
    peer = ways.get(_PEER)
    ratio = f" ({way['p50_ms'] / peer['p50_ms']:.2f})" if peer and peer["p50_ms"] and name == "gateway" else ""
    spent = f"{way['cpu_ms']:g}" if way["cpu_ms"] else ""
    return (
        f"| {way['together']} | {name} | {_short(way['p50_ms'])}{ratio} | {_short(way['p95_ms'])} | {spent} | "
        f"{way['per_second']['median']:.3g} | {downstream / 1e3:.0f} |"
    )


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
