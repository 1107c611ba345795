"""Pages from templates: escaped by themselves, in one style, in need of nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from prompt4trust.plots import DARK, LIGHT, rules
from prompt4trust.plots.svg import printable

_TEMPLATES: Final = Path(__file__).parent / "templates"


@cache
def _environment(folder: Path) -> Environment:
    loader = FileSystemLoader([folder, _TEMPLATES])
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)


def _variables(colours: Mapping[str, str]) -> Markup:
    return Markup(" ".join(f"--{name}: {colour};" for name, colour in colours.items()))  # noqa: S704 - our own


STYLE: Final = (
    _environment(_TEMPLATES)
    .get_template("page.css")
    .render(
        light=_variables(LIGHT),
        dark=_variables(DARK),
        drawings=Markup(rules({name: f"var(--{name})" for name in LIGHT})),  # noqa: S704 - our own
    )
)
"""The pages' stylesheet; it holds that of the drawings, which go without their own on a page."""


def render(template: str, page: object, folder: Path = _TEMPLATES) -> str:
    """Fill a template.

    Args:
        template: Its file's name; it extends base.html.
        page: The page's view model, with what the template shows.
        folder: Where the template is, if not here.

    Returns:
        HTML that loads and runs nothing; characters that XML and UTF-8 cannot hold are U+FFFD.
    """
    return printable(_environment(folder).get_template(template).render(page=page, style=Markup(STYLE)))  # noqa: S704
