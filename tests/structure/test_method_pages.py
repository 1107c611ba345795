"""Every estimator has a page of its own with the same sections, and a row in the index of methods."""

from __future__ import annotations

import re

import pytest

from prompt4trust.estimators import ESTIMATORS
from tests.structure.sources import ROOT

SECTIONS = [
    "What it is",
    "Definition",
    "Source",
    "What it costs",
    "When to use it",
    "In the API",
    "Code",
]
INDEX = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| \[\**`([^`]+)`\**\]\(methods/([^)]+)\.md\) \|.*?\| (?:up to |\d+ to )?(\d+) \|", re.MULTILINE)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_page_says_the_same_of_each_estimator(name: str) -> None:
    page = ROOT / "docs" / "methods" / f"{name.replace('+', '-')}.md"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# `{name}`\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert f'"method": "{name}"' in text
    places = re.findall(r"`([\w/.]+\.py)`", text.split("## Code\n", 1)[1])
    assert places
    for place in places:
        assert list(ROOT.glob(place if "/" in place else f"prompt4trust/**/{place}")), place


def test_the_index_has_every_estimator_and_what_it_costs_at_most() -> None:
    rows = {name: (page, int(replies)) for name, page, replies in _ROW.findall(INDEX)}
    assert rows == {name: (name.replace("+", "-"), entry.replies) for name, entry in ESTIMATORS.items()}


def test_the_index_says_which_need_a_policy() -> None:
    rows = {found[1]: found[0] for found in re.finditer(r"^\| \[\**`([^`]+)`\**\].*$", INDEX, re.MULTILINE)}
    needing = {name for name, row in rows.items() if "policy" in row.split("|")[4]}
    assert needing == {name for name, entry in ESTIMATORS.items() if entry.needs_policy}
