"""Links in documents lead to a file that is there, and to an anchor or a heading on it."""

from __future__ import annotations

import re
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

from tests.structure.sources import ROOT

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_ANCHOR = re.compile(r'<a id="([^"]+)"')
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
_NO_PART = re.compile(r"[^\w\- ]")


def anchors_of(text: str) -> set[str]:
    """Names that a link may lead to: explicit anchors, and headings as GitHub and its kin name them."""
    headings = [re.sub(r"<[^>]*>", "", heading) for heading in _HEADING.findall(_FENCE.sub("", text))]
    named = [_NO_PART.sub("", heading.strip().lower()).replace(" ", "-") for heading in headings]
    return {*_ANCHOR.findall(text), *named}


def links_of(text: str) -> list[str]:
    """Relative links of a document, outside code."""
    found = _LINK.findall(_CODE.sub("", _FENCE.sub("", text)))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


@lru_cache
def _anchors(page: Path) -> set[str]:
    return anchors_of(page.read_text(encoding="utf-8"))


def _pages() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return sorted(page for page in found if (ROOT / page).is_file())


@pytest.mark.parametrize("page", _pages())
def test_links_lead_somewhere(page: str) -> None:
    here = ROOT / page
    astray = []
    for link in links_of(here.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        there = (here.parent / path).resolve() if path else here
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in _anchors(there)):
            astray.append(link)
    assert astray == []


def test_a_link_that_leads_nowhere_is_noticed() -> None:
    headings = '# A `b+c`, d\n## `GET /`\n<a id="e"></a>\n'
    text = headings + "```\n# no heading\n[x](no-link.md)\n```\n[y](z.md#f) and `[no](link.md)`"
    assert anchors_of(text) == {"a-bc-d", "get-", "e"}
    assert links_of(text) == ["z.md#f"]


def test_every_page_is_named_in_a_list_of_pages() -> None:
    docs = ROOT / "docs"
    lists = (docs / "README.md", docs / "methods.md", docs / "results.md")
    named = {(page.parent / link.partition("#")[0]).resolve() for page in lists for link in links_of(page.read_text())}
    assert sorted(page.name for page in docs.rglob("*.md") if page.resolve() not in {*named, lists[0]}) == []
