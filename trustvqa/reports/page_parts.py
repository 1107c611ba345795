"""Parts of a page as the templates show them: tables of figures, diagrams with their captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from prompt4trust.evaluation.comparison import differs
from prompt4trust.evaluation.figures import Estimate
from prompt4trust.plots import unstyled
from trustvqa.reports import metric_names


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell.

    Attributes:
        text: The figure, or a name.
        range: Its interval, which stands below it.
        mark: best: with a star; sure: in bold.
        after: Words behind the text that are not marked.
    """

    text: str
    range: str = ""
    mark: Literal["", "best", "sure"] = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        head: The columns' names.
        rows: A cell for each column; the first names the row.
        caption: What the table holds.
        heading: Words above it, where it is one of several.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A drawing with its caption.

    Attributes:
        svg: The drawing, without the style that the page has.
        name: Words in bold with which the caption begins.
        told: The rest of the caption.
        broad: Whether it scrolls on a narrow screen: shrunk, its words could not be read.
    """

    svg: Markup
    name: str = ""
    told: str = ""
    broad: bool = False

    @classmethod
    def of(cls, drawing: str, name: str = "", told: str = "", *, broad: bool = False) -> Diagram:
        """Take a drawing of `prompt4trust.plots`."""
        return cls(inline(drawing), name, told, broad)


def inline(drawing: str) -> Markup:
    """Make a drawing of `prompt4trust.plots` part of a page, whose style has that of all drawings."""
    return Markup(unstyled(drawing))  # noqa: S704 - drawings escape their words themselves


def figure_cell(estimate: Estimate | None, metric: str, *, best: bool = False) -> Cell:
    """Write a figure with its interval below it."""
    decimals = 0 if metric.endswith("_count") else 3
    if estimate is None or estimate.value is None:
        return Cell("-")
    return Cell(
        metric_names.number(estimate.value, decimals), _range(estimate, f"z.{decimals}f"), "best" if best else ""
    )


def change_cell(estimate: Estimate | None) -> Cell:
    """Write a difference with its sign, in bold where the answers show it, and its interval below it."""
    if estimate is None or estimate.value is None:
        return Cell("-")
    return Cell(f"{estimate.value:+z.3f}", _range(estimate, "+z.3f"), "sure" if differs(estimate) else "")


def metric_heading(metric: str) -> str:
    """Name a metric, with an arrow to its better side."""
    return metric_names.label(metric) + _ARROWS[metric_names.better(metric)]


_ARROWS: Mapping[str, str] = {"higher": " ↑", "lower": " ↓", "": ""}


def _range(estimate: Estimate, form: str) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low + 0.0:{form}} to {estimate.high + 0.0:{form}}"
