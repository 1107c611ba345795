"""Templates: text stays text without anybody's doing, and a name that a page lacks is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from prompt4trust.plots import legend_svg
from tests.support.html import parse
from trustvqa.reports.page_parts import Cell, Diagram, Table
from trustvqa.reports.rendering import render

EVIL = '<script>alert(1)</script> & "q" \'\x00\ud800'
SEEN = '<script>alert(1)</script> & "q" \'\ufffd\ufffd'


def rendered(folder: Path, template: str, page: object) -> str:
    macros = '{% import "macros.html" as part %}'
    (folder / "sample.html").write_text(macros + template, encoding="utf-8")
    return render("sample.html", page, folder)


def test_text_stays_text_in_every_part(tmp_path: Path) -> None:
    table = Table(["", EVIL], [[EVIL, Cell(EVIL, EVIL, "best", EVIL)], [Cell(EVIL, mark="sure"), EVIL]], EVIL)
    template = "{{ part.table(page.table) }}{{ part.figure(page.diagram) }}{{ part.facts(page.facts) }}"
    diagram = Diagram.of(legend_svg(0), EVIL, EVIL, broad=True)
    page = rendered(tmp_path, template, {"table": table, "diagram": diagram, "facts": {EVIL: EVIL}})
    assert page.encode().decode() == page
    tree = parse(page)
    assert tree.all("script") == []
    assert [each.text for tag in ("caption", "dt", "dd", "figcaption") for each in tree.all(tag)] == [
        SEEN, SEEN, SEEN, SEEN + SEEN,
    ]  # fmt: skip
    assert [cell.text for cell in tree.all("td")][1:] == [f"{SEEN}{SEEN} {SEEN}", SEEN]
    assert len(tree.all("svg")) == 1
    assert tree.all("style") == []


def test_a_name_that_a_page_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="gone"):
        rendered(tmp_path, "{{ page.gone }}", {})
