"""Colours and shapes of the drawings: a stylesheet that each carries, or that a page of many holds once."""

from __future__ import annotations

from collections.abc import Mapping

ROOT = "p4t-plot"
"""Class of every drawing; all rules are within it, so that the page around one is never touched."""
# Every text colour has a contrast of 4.5 or more on both grounds, every mark one of 3 (WCAG 2.2, 1.4.3 and 1.4.11).
LIGHT = {
    "ink": "#17201f", "soft": "#52605e", "line": "#c9d1d0", "paper": "#ffffff", "bar": "#5b8fc9", "gap": "#b3401a",
    "s0": "#1f5fae", "s1": "#b3401a", "s2": "#1d7a4f", "s3": "#7a3f98", "s4": "#8a5a00", "s5": "#52605e",
}  # fmt: skip
"""Name of a colour -> the colour on light ground; s0 to s5 are those of series."""
DARK = {
    "ink": "#e6ecea", "soft": "#a3b1ae", "line": "#38453f", "paper": "#101615", "bar": "#4d7fb5", "gap": "#f29a76",
    "s0": "#7fb2f0", "s1": "#f29a76", "s2": "#67c796", "s3": "#c79be0", "s4": "#e0b45c", "s5": "#aab4c0",
}  # fmt: skip
"""The same on dark ground."""
# Whoever forces colours has chosen few: series are told apart by marks and dashes then.
_FORCED = {**dict.fromkeys(LIGHT, "CanvasText"), "line": "GrayText", "paper": "Canvas", "bar": "Highlight"}

_SERIES = [name for name in LIGHT if name[1:].isdigit()]
_FILLED = {
    "soft": ["text", ".count"],
    "ink": [".strong"],
    "bar": [".bar"],
    "gap": [".wrong", ".gap"],
    "paper": [".hollow"],
    **{name: [f".{name}.fill", f".{name}.shade"] for name in _SERIES},
}
_STROKED = {
    "soft": [".axis", ".ideal"],
    "line": [".grid"],
    "ink": [".mark", ".level", ".whisker"],
    "gap": [".gap"],
    "paper": [".halo"],
    **{name: [f".{name}.line", f".{name}.hollow"] for name in _SERIES},
    "s1": [".s1.line", ".s1.hollow", ".between"],
}
_SHAPES = {
    "": "print-color-adjust:exact;-webkit-print-color-adjust:exact",
    "text": 'font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif',
    ".tiny": "font-size:9.5px",
    ".up": "transform:rotate(-90deg);transform-box:fill-box;transform-origin:center",
    ".ideal": "stroke-dasharray:4 4",
    ".mark": "stroke-dasharray:2 3",
    ".gap": "fill-opacity:.22;stroke-dasharray:3 2",
    ".level": "stroke-width:2",
    ".count": "fill-opacity:.55",
    ".whisker": "stroke-width:1.5",
    ".halo": "stroke-width:4",
    ".between": "stroke-width:2;stroke-dasharray:2 2",
    ".line": "fill:none;stroke-width:1.8",
    ".hollow": "stroke-width:1.8",
    ".shade": "fill-opacity:.16",
    ".ideal.line": "stroke-width:1",
}


def rules(colours: Mapping[str, str]) -> str:
    """Stylesheet of the drawings in given colours, for a page that holds it once for all.

    Args:
        colours: Name of each colour of `LIGHT` -> its value in CSS, such as `var(--ink)`.

    Example:
        >>> ".p4t-plot .bar{fill:var(--bar)}" in rules({name: f"var(--{name})" for name in LIGHT})
        True
    """
    shapes = "".join(f"{_within(kind)}{{{told}}}" for kind, told in _SHAPES.items())
    return f"{shapes}{_painted(colours)}@media (forced-colors:active){{{_painted(_FORCED)}}}"


def unstyled(drawing: str) -> str:
    """Take a drawing's own stylesheet out of it, for a page that has `rules` among its own.

    Example:
        >>> from prompt4trust.plots import legend_svg
        >>> "<style>" in legend_svg(0), "<style>" in unstyled(legend_svg(0))
        (True, False)
    """
    return drawing.replace(STYLE_ELEMENT, "", 1)


def _painted(colours: Mapping[str, str]) -> str:
    ground = f".{ROOT}{{background:{colours['paper']}}}"
    return ground + "".join(
        f"{','.join(map(_within, kinds))}{{{what}:{colours[name]}}}"
        for what, listed in (("fill", _FILLED), ("stroke", _STROKED))
        for name, kinds in listed.items()
    )


def _within(kind: str) -> str:
    return f".{ROOT} {kind}".rstrip()


# Paper is always light: the dark colours are for screens alone. No variables, which programs beside browsers lack.
_DARK_SCREEN = "screen and (prefers-color-scheme:dark) and (forced-colors:none)"
STYLE_ELEMENT = f"<style>{rules(LIGHT)}@media {_DARK_SCREEN}{{{_painted(DARK)}}}</style>"
"""The stylesheet that every drawing carries, so that it can be looked at alone."""
