"""What the pages have in common: one style, tables, figures, and a document that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from prompt4trust.plots.svg import clean

__all__ = ["STYLE", "clean", "document", "facts", "figure", "figures", "intro", "section", "table"]

# Every text colour has a contrast of 4.5 or more on both grounds, every mark one of 3 (WCAG 2.2, 1.4.3 and 1.4.11).
# Paper is always light: the dark colours are for screens alone.
STYLE = """
:root { color-scheme: light; --ink: #17201f; --soft: #52605e; --line: #c9d1d0; --paper: #ffffff; --band: #f3f6f5;
  --bar: #5b8fc9; --gap: #b3401a; --good: #0b6e66; --s0: #1f5fae; --s1: #b3401a; --s2: #1d7a4f; --s3: #7a3f98;
  --s4: #8a5a00; --s5: #52605e; }
@media screen and (prefers-color-scheme: dark) { :root { color-scheme: dark; --ink: #e6ecea; --soft: #a3b1ae;
  --line: #38453f; --paper: #101615; --band: #19211f; --bar: #4d7fb5; --gap: #f29a76; --good: #4cc2b4; --s0: #7fb2f0;
  --s1: #f29a76; --s2: #67c796; --s3: #c79be0; --s4: #e0b45c; --s5: #aab4c0; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: var(--ink);
  background: var(--paper); margin: 0 auto; max-width: 72rem; padding: 1rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .6rem 0 .2rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .5rem; padding-top: .7rem; border-top: 2px solid var(--line); }
h3 { font-size: 1rem; margin: 1.3rem 0 .4rem; } p { margin: .4rem 0; max-width: 46rem; }
header p, section > ul { max-width: 60rem; }
.soft, figcaption, dt, small { color: var(--soft); } .warn { color: var(--gap); font-weight: 600; }
a { color: var(--s0); } a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--s0); outline-offset: 2px; }
.skip { position: absolute; left: -999rem; } .skip:focus { left: 1rem; background: var(--paper); padding: .3rem .6rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; margin: .8rem 0; padding: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
caption span { display: inline-block; position: sticky; left: 0; max-width: min(60rem, 100vw - 2rem); }
th, td { text-align: left; padding: .35rem 1rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } thead th, thead td { border-bottom: 2px solid var(--line); vertical-align: bottom; }
td small, td .range { white-space: nowrap; } td .range { display: block; font-size: .82em; color: var(--soft); }
td .best { font-weight: 700; } td .best::after { content: " \\2605"; color: var(--good); font-size: .8em; }
.figures { display: grid; gap: 1.2rem 1.6rem; align-items: start; }
.figures.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 15.6rem), 1fr)); }
.figures.medium { grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.tables { display: grid; gap: 0 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 33rem), 1fr)); }
figure { margin: .4rem 0; max-width: 100%; break-inside: avoid; } figcaption { font-size: .9rem; max-width: 22rem; }
figure.broad figcaption { max-width: 46rem; } .broad .wide svg { min-width: 36rem; }
figcaption strong { color: var(--ink); }
svg { max-width: 100%; height: auto; display: block; } svg.sample { display: inline-block; vertical-align: -2px; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; margin: .4rem 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15.5rem), 1fr)); gap: 1rem;
  margin: 1rem 0; }
.card { border: 1px solid var(--line); border-left: 5px solid var(--soft); border-radius: 6px; padding: .7rem .9rem;
  background: var(--band); break-inside: avoid; }
.card.bad { border-left-color: var(--gap); } .card.fine { border-left-color: var(--good); } .card h3 { margin: 0; }
.card .verdict { font-weight: 700; } .bad .verdict { color: var(--gap); } .fine .verdict { color: var(--good); }
.card dl { margin: .4rem 0 0; } .card p { font-size: .92rem; }
dl.facts { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .15rem 1rem; }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.errors { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
.error { display: grid; grid-template-columns: 150px 1fr; gap: .4rem 1.1rem; padding: .9rem; align-content: start;
  border: 1px solid var(--line); border-radius: 6px; break-inside: avoid; font-size: .93rem; }
.error img, .error .none { width: 150px; height: auto; border: 1px solid var(--line); border-radius: 4px; }
.error .none { padding: 3.5rem .8rem; text-align: center; color: var(--soft); font-size: .85rem; }
.error h3 { margin: 0 0 .3rem; } .error ul { list-style: none; margin: .3rem 0; padding: 0; }
.error .said { border-left: 3px solid var(--line); padding-left: .7rem; margin: .5rem 0; }
.error .quote { display: grid; grid-template-columns: 2.8rem 1fr; align-items: baseline; }
.error p, .error li, blockquote { overflow-wrap: anywhere; } blockquote { margin: .1rem 0; white-space: pre-wrap; }
.truth { color: var(--good); font-weight: 600; } .given { color: var(--gap); font-weight: 600; }
svg text { fill: var(--soft); font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
svg .tiny { font-size: 9.5px; } svg .strong { fill: var(--ink); }
svg .up { transform: rotate(-90deg); transform-box: fill-box; transform-origin: center; }
svg .axis { stroke: var(--soft); } svg .grid { stroke: var(--line); }
svg .ideal { stroke: var(--soft); stroke-dasharray: 4 4; } svg .mark { stroke: var(--ink); stroke-dasharray: 2 3; }
svg .bar { fill: var(--bar); } svg .wrong { fill: var(--gap); }
svg .gap { fill: var(--gap); fill-opacity: .22; stroke: var(--gap); stroke-dasharray: 3 2; }
svg .level { stroke: var(--ink); stroke-width: 2; } svg .count { fill: var(--soft); fill-opacity: .55; }
svg .whisker { stroke: var(--ink); stroke-width: 1.5; } svg .halo { stroke: var(--paper); stroke-width: 4; }
svg .between { stroke: var(--s1); stroke-width: 2; stroke-dasharray: 2 2; }
svg .line { fill: none; stroke-width: 1.8; } svg .hollow { fill: var(--paper); stroke-width: 1.8; }
svg .s0.line, svg .s0.hollow { stroke: var(--s0); } svg .s1.line, svg .s1.hollow { stroke: var(--s1); }
svg .s2.line, svg .s2.hollow { stroke: var(--s2); } svg .s3.line, svg .s3.hollow { stroke: var(--s3); }
svg .s4.line, svg .s4.hollow { stroke: var(--s4); } svg .s5.line, svg .s5.hollow { stroke: var(--s5); }
svg .s0.fill, svg .s0.shade { fill: var(--s0); } svg .s1.fill, svg .s1.shade { fill: var(--s1); }
svg .s2.fill, svg .s2.shade { fill: var(--s2); } svg .s3.fill, svg .s3.shade { fill: var(--s3); }
svg .s4.fill, svg .s4.shade { fill: var(--s4); } svg .s5.fill, svg .s5.shade { fill: var(--s5); }
svg .shade { fill-opacity: .16; } svg .ideal.line { stroke-width: 1; stroke: var(--soft); }
@media (max-width: 34rem) { .error { grid-template-columns: 1fr; } dl.facts { grid-template-columns: 1fr; }
  dl.facts dd { margin-bottom: .4rem; } }
@page { size: A4; margin: 14mm 13mm; }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; } nav, .skip { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } a { color: inherit; text-decoration: none; }
  .wide { overflow: visible; } .broad .wide svg { min-width: 0; } table { font-size: 8.5pt; }
  th, td { padding-right: .6rem; } thead { display: table-header-group; } h2 { margin-top: 1.4rem; }
  tr, figure, .card, .error, .tables > div, #methods ~ .wide, .intro, .legend, dl.facts { break-inside: avoid; }
  h2, h3, .intro, .legend { break-after: avoid; } #groups, #errors, #figures { break-before: page; }
  /* Grids break badly across pages: what stands in front of one is left behind. */
  .figures.small, .figures.medium, .tables, .errors { display: block; }
  .figures figure { display: inline-block; width: 48%; margin-right: 1.5%; vertical-align: top; }
  .error { display: inline-grid; width: 49%; margin: 0 .6% .4rem 0; vertical-align: top; padding: .5rem;
    grid-template-columns: 84px 1fr; gap: .3rem .6rem; font-size: 8.5pt; }
  .error img, .error .none { width: 84px; } }
"""
"""The pages' style; the classes of the diagrams are at its end."""


def document(title: str, parts: Iterable[str]) -> str:
    """Put a page together: no script, no font, no picture from elsewhere.

    Args:
        title: Its name, as text.
        parts: Its content, as HTML.
    """
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{clean(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # A second lock: even a fault in escaping could load nothing and run nothing.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
        f'<style>{STYLE}</style></head><body><a class="skip" href="#content">Skip to the content</a>'
        f'<main id="content">{"".join(parts)}</main></body></html>\n'
    )


def section(name: str, heading: str, parts: Iterable[str]) -> str:
    """Make a section that a link can lead to.

    Args:
        name: Its id.
        heading: As text.
        parts: Its content, as HTML.
    """
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{clean(heading)}</h2>{"".join(parts)}</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Lay out cells that are HTML already; the first of each row names it.

    Args:
        head: The columns' names.
        rows: A cell for each column.
        caption: What the table holds, as HTML.
    """
    top = "".join(f'<th scope="col">{cell}</th>' if cell else "<td></td>" for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    told = f"<caption><span>{caption}</span></caption>" if caption else ""
    label = ' aria-label="Table, may be wider than the screen"'
    # A region that scrolls must be reachable by keyboard.
    return (
        f'<div class="wide" tabindex="0" role="group"{label}><table>{told}<thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def intro(text: str) -> str:
    """Say what is to be seen in what follows; the text is HTML. In print it stays with it."""
    return f'<p class="intro">{text}</p>'


def figure(drawing: str, caption: str, *, broad: bool = False) -> str:
    """Put a caption, which is HTML, below a drawing."""
    told = f"<figcaption>{caption}</figcaption>"
    if not broad:
        return f"<figure>{drawing}{told}</figure>"
    # Shrunk to a narrow screen its words could not be read: it scrolls instead.
    label = 'aria-label="Diagram, may be wider than the screen"'
    return f'<figure class="broad"><div class="wide" tabindex="0" role="group" {label}>{drawing}</div>{told}</figure>'


def figures(drawn: Iterable[str], size: Literal["small", "medium"] = "small") -> str:
    """Set figures side by side, as many as there is room for: four small ones or three of medium size on a screen."""
    return f'<div class="figures {size}">{"".join(drawn)}</div>'


def facts(told: Mapping[str, str]) -> str:
    """List names and what they stand for, both as text."""
    listed = "".join(f"<dt>{clean(name)}</dt><dd>{clean(text)}</dd>" for name, text in told.items())
    return f'<dl class="facts">{listed}</dl>'
