"""The table of pictures of real size, as Markdown, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_HEADS = (
    "at once",
    "way",
    "p50 ms (of the peer's)",
    "p95 ms",
    "p99 ms added (of the peer's)",
    "CPU ms an answer",
    "answers/s a core (of the peer's)",
    "answers/s",
    "picture downstream, KB",
)
_PEER, _BARE = "LiteLLM", "model alone"


def render(found: Mapping[str, Any]) -> Sequence[str]:
    """Write the figures of `side_by_side`, a table a picture."""
    peer = f"beside LiteLLM {found['litellm']}, in turns" if found["litellm"] else "without a peer"
    before, after = found["load_average"]
    lines = [
        f"Pictures of real size, one gateway with records and evidence, {peer}; load average {before:g} before and "
        f"{after:g} after:",
        "",
    ]
    for each in [*found["pictures"], *found.get("several_questions", ())]:
        lines += [f"{each['picture']}:", "", f"| {' | '.join(_HEADS)} |", f"|---:|---|{'---:|' * (len(_HEADS) - 2)}"]
        for ways in each["concurrencies"]:
            lines += [_row(name, way, ways, each["downstream_bytes"][name]) for name, way in ways.items()]
        lines.append("")
    return lines[:-1]


def _row(name: str, way: Mapping[str, Any], ways: Mapping[str, Any], downstream: int) -> str:
    if way["p50_ms"] is None:
        return f"| {way['together']} | {name} | none answered: {way['failed']} |{' |' * (len(_HEADS) - 3)}"
    cells = (
        str(way["together"]),
        name,
        _beside_peer(name, ways, lambda each: each["p50_ms"]),
        _short(way["p95_ms"]),
        _beside_peer(name, ways, lambda each: _added(each, ways)),
        f"{way['cpu_ms']:g}" if way["cpu_ms"] else "",
        _beside_peer(name, ways, _per_core),
        f"{way['per_second']['median']:.3g}",
        f"{downstream / 1e3:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _beside_peer(name: str, ways: Mapping[str, Any], figure: Callable[[Mapping[str, Any]], float | None]) -> str:
    own = figure(ways[name])
    if own is None:
        return ""
    peer = figure(ways[_PEER]) if ways.get(_PEER, {}).get("p50_ms") else None
    return _short(own) + (f" ({own / peer:.2f})" if peer and name not in (_PEER, _BARE) else "")


def _added(way: Mapping[str, Any], ways: Mapping[str, Any]) -> float | None:
    """Compute what a way adds to the model's own p99, in milliseconds; None for the model itself."""
    bare = ways.get(_BARE)
    return None if bare is None or bare is way or bare["p99_ms"] is None else way["p99_ms"] - bare["p99_ms"]


def _per_core(way: Mapping[str, Any]) -> float | None:
    """Compute the answers a second that one core is enough for."""
    return 1e3 / way["cpu_ms"] if way["cpu_ms"] else None


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
