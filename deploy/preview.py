"""The dashboard without Grafana: python -m deploy.preview PROMETHEUS OUT.html [MINUTES].

Draws every panel of deploy/grafana/dashboards/trustvqa.json from its own queries, as one page without scripts. It shows
what there is to see and not how Grafana shows it: for looking at a change, and for where there is no Grafana.
"""

from __future__ import annotations

import html
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import httpx

DASHBOARD = Path(__file__).parent / "grafana" / "dashboards" / "trustvqa.json"
_COLOURS = ("#3b6ea8", "#c2571a", "#3d8b57", "#8a5aa8", "#b8860b", "#4aa3a3", "#a83b5c", "#6b6b6b")
_POINTS = 120
_ROW, _COLUMN = 30, 52
_STYLE = (
    "body{font:13px system-ui,sans-serif;background:#f4f5f6;margin:12px;color:#222;width:1260px}"
    "h1{font-size:17px;margin:0 0 10px}main{position:relative}section{position:absolute;background:#fff;"
    "border:1px solid #d8dadd;border-radius:3px;overflow:hidden;box-sizing:border-box}"
    "h2{font-size:13px;margin:6px 10px 2px;font-weight:600}p{margin:0 10px;font-size:11px;color:#555;line-height:15px}"
    "b{font-weight:600}i{font-style:normal;padding-right:10px;white-space:nowrap}.big{font-size:26px;margin:6px 10px;"
    "line-height:32px}"
)

Series = tuple[str, list[tuple[float, float]]]


def draw(prometheus: str, minutes: float, end: float) -> str:
    """Draw the dashboard.

    Args:
        prometheus: Its address.
        minutes: How much of the past is shown.
        end: Until when, in seconds since 1970.

    Returns:
        A page of HTML.

    Raises:
        httpx.HTTPError: If Prometheus does not answer, or refuses a query.
    """
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    parts = []
    with httpx.Client(base_url=prometheus, timeout=30) as http:
        for panel in panels:
            at = panel["gridPos"]
            found = [each for target in panel["targets"] for each in _ask(http, target, minutes, end)]
            place = f"left:{at['x'] * _COLUMN}px;top:{at['y'] * _ROW}px;width:{at['w'] * _COLUMN - 8}px"
            drawing = _stat(found, panel) if panel["type"] == "stat" else _chart(found, panel, minutes, end)
            parts.append(
                f'<section style="{place};height:{at["h"] * _ROW - 8}px"><h2>{html.escape(panel["title"])}</h2>'
                f"{drawing}</section>"
            )
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * _ROW
    return (
        f"<!doctype html><meta charset=utf-8><title>TrustVQA</title><style>{_STYLE}</style><h1>The queries of"
        f' the dashboard, drawn without Grafana</h1><main style="height:{height}px">{"".join(parts)}</main>'
    )


def _ask(http: httpx.Client, target: dict[str, Any], minutes: float, end: float) -> list[Series]:
    step = minutes * 60 / _POINTS
    asked = {
        "query": target["expr"].replace("$__rate_interval", "1m"),
        "start": str(end - minutes * 60),
        "end": str(end),
        "step": str(step),
    }
    reply = http.get("/api/v1/query_range", params=asked).raise_for_status().json()
    found = []
    for each in reply["data"]["result"]:
        name = target["legendFormat"]
        for label, value in each["metric"].items():
            name = name.replace(f"{{{{{label}}}}}", value)
        values = [(float(at), float(value)) for at, value in each["values"]]
        found.append((name, [(at, value) for at, value in values if math.isfinite(value)]))
    return [each for each in found if each[1]]


def _stat(found: list[Series], panel: dict[str, Any]) -> str:
    if not found:
        return '<p class="big">no data</p>'
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    words = {
        key: value["text"]
        for mapping in panel["fieldConfig"]["defaults"].get("mappings", [])
        for key, value in mapping["options"].items()
    }
    shown = " ".join(
        f"<i><b>{html.escape(words.get(f'{values[-1][1]:g}', _number(values[-1][1], unit)))}</b> "
        f'<span style="font-size:12px">{html.escape(name)}</span></i>'
        for name, values in found
    )
    size = 17 if len(found) > 1 else 26
    return f'<p class="big" style="font-size:{size}px">{shown}</p>'


def _chart(found: list[Series], panel: dict[str, Any], minutes: float, end: float) -> str:
    if not found:
        return '<p style="margin-top:60px;text-align:center">no data</p>'
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    if panel["type"] == "heatmap":
        found, unit = _bins(found), "short"
    width, top = panel["gridPos"]["w"] * _COLUMN - 8, panel["gridPos"]["h"] * _ROW - 8 - 26 - 34
    most = max(max(value for _, value in values) for _, values in found) or 1.0
    least = min(0.0, min(min(value for _, value in values) for _, values in found))
    lines = []
    for number, (_, values) in enumerate(found):
        points = " ".join(
            f"{46 + (at - end + minutes * 60) / (minutes * 60) * (width - 60):.1f},"
            f"{top - 14 - (value - least) / (most - least) * (top - 22):.1f}"
            for at, value in values
        )
        colour = _COLOURS[number % len(_COLOURS)]
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    for share in (0, 0.5, 1):
        y = top - 14 - share * (top - 22)
        text = _number(least + share * (most - least), unit)
        lines.append(
            f'<line x1="46" x2="{width - 14}" y1="{y}" y2="{y}" stroke="#e4e6e8"/>'
            f'<text x="42" y="{y + 4}" font-size="10" fill="#666" text-anchor="end">{text}</text>'
        )
    for share, text in ((0, f"{minutes:g} min ago"), (1, "now")):
        anchor = "start" if share == 0 else "end"
        x = 46 + share * (width - 60)
        lines.append(f'<text x="{x}" y="{top - 2}" font-size="10" fill="#666" text-anchor="{anchor}">{text}</text>')
    legend = " ".join(
        f'<i><span style="color:{_COLOURS[number % len(_COLOURS)]}">&#9632;</span> {html.escape(name)}</i>'
        for number, (name, _) in enumerate(found)
    )
    return f'<svg width="{width}" height="{top}">{"".join(lines)}</svg><p>{legend}</p>'


def _bins(found: list[Series]) -> list[Series]:
    """Make of a histogram's cumulative counts those of its bins that anything fell into."""
    ordered = sorted(found, key=lambda each: float(each[0].replace("+Inf", "inf")))
    bins: list[Series] = []
    for place, (name, values) in enumerate(ordered):
        below = dict(ordered[place - 1][1]) if place else {}
        own = [(at, max(value - below.get(at, 0.0), 0.0)) for at, value in values]
        if any(value > 0 for _, value in own):
            bins.append((f"up to {name}", own))
    return bins or ordered


def _number(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "bytes":
        return f"{value / 1e6:.0f} MB"
    return f"{value:.3g}{' s' if unit == 's' else ''}"


if __name__ == "__main__":
    address, out, *rest = sys.argv[1:]
    Path(out).write_text(draw(address, float(rest[0]) if rest else 15.0, time.time()), encoding="utf-8")
