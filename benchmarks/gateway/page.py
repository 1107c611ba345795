"""The figures as docs/operations.md has them, between two marks, so that page and results.json cannot differ."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from benchmarks.gateway import pictures_table
from benchmarks.gateway.sizing import cores, need

BEGIN, END = "<!-- figures of make bench-gateway -->\n", "<!-- end of figures -->\n"
_WIDTH = 125
_HEADS = ("at once", "answers/s (least, most)", "p50 ms", "p95 ms", "p99 ms", "CPU ms an answer", "n")
_KINDS = {
    "gateway": "One gateway, records in SQLite, models that reply at once:",
    "embedded": "The four services with the miniatures, no guidance from the cache:",
}


def put(page: str, result: Mapping[str, Any], rate: float = 10.0, headroom: float = 1.5) -> str:
    """Put figures into the page, in place of those between the marks.

    Args:
        page: The page's text.
        result: What the benchmark found.
        rate: Questions a second of the example.
        headroom: Of the example.

    Raises:
        ValueError: If the page lacks the marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no marks for figures")
    return f"{before}{begin}\n{render(result, rate, headroom)}\n{end}{after}"


def render(result: Mapping[str, Any], rate: float, headroom: float) -> str:
    """Write the figures as Markdown."""
    told = result["machine"]
    setting = (
        f"On {told['cores']} shared cores ({told['processor']}, {told['memory_gb']} GB), Python {told['python']}, one "
        f"thread of arithmetic a service; {result['rounds']} rounds after a warm-up, the concurrencies taking turns. "
        f"Load average {told['load_average'][0]:g} before and {result['load_average_after'][0]:g} after. The "
        "services and who asks them keep the cores busy by themselves; where the load is well above that, other work "
        "took its share, and processor time says more than the clock."
    )
    lines = [textwrap.fill(setting, _WIDTH), ""]
    for kind, title in _KINDS.items():
        lines += [title, "", f"| {' | '.join(_HEADS)} |", f"|{'---:|' * len(_HEADS)}"]
        lines += [_row(each) for each in result[kind]["concurrencies"]]
        memory = result[kind]["rss_mb"]
        held = ", ".join(
            f"{name} {mb:.0f} MB idle and {memory['loaded'][name]:.0f} after" for name, mb in memory["idle"].items()
        )
        lines += ["", textwrap.fill(f"Memory (RSS): {held}.", _WIDTH), ""]
    if "real_size" in result:
        lines += [*pictures_table.render(result["real_size"]), ""]
    lines += [
        f"For {rate:g} questions a second and headroom {headroom:g}, by the second table, a replica being all four:",
        "",
        "```",
    ]
    lines += [str(need(each, rate, headroom)) for each in result["embedded"]["concurrencies"]]
    lines += ["```", "", "and by processor time, which other work on the machine changes less:", "", "```"]
    lines += [cores(each, rate, headroom) for each in result["embedded"]["concurrencies"]]
    return "\n".join([*lines, "```", ""])


def _row(each: Mapping[str, Any]) -> str:
    rates = each["per_second"]
    spent = ", ".join(f"{name} {ms:g}" for name, ms in each["cpu_ms"].items() if ms >= 1)
    times = (f"{each[name]:.0f}" for name in ("p50_ms", "p95_ms", "p99_ms"))
    shown = f"{rates['median']:.3g} ({rates['least']:.3g}, {rates['most']:.3g})"
    return f"| {each['together']} | {shown} | {' | '.join(times)} | {spent} | {each['answers']} |"
