"""The map in docs/architecture.md leads to what is there, and every term of the glossary stands once."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.structure.sources import ROOT

PLACE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
"""A path in a table of the map: a file, or a directory that ends in a slash."""


def missing_places(text: str, root: Path) -> list[str]:
    """Paths in tables of a text that end no path of a tree."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    wanted = {place for row in rows for place in PLACE.findall(row) if place.endswith((".py", "/", ".md"))}
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    files = {f"/{path}" for path in listed}
    there = files | {f"{parent}/" for path in files for parent in Path(path).parents}
    return sorted(place for place in wanted if not any(path.endswith(f"/{place}") for path in there))


def test_the_map_leads_to_what_is_there() -> None:
    assert missing_places((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), ROOT) == []


def test_a_place_that_is_gone_is_noticed() -> None:
    text = "| x | `nowhere/a.py`, `beyond/`, `prompt4trust/verdict/`, `metrics/` |\n`c/d.py` in prose"
    assert missing_places(text, ROOT) == ["beyond/", "nowhere/a.py"]


def test_a_term_stands_once_in_the_glossary_and_in_order() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert terms[1:] == sorted(set(terms[1:]), key=str.casefold)
