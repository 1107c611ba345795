"""Anchors of documents: each name stands once on its page, so that a link leads where its author meant."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.structure.sources import ROOT

_ANCHOR = re.compile(r'<a id="([^"]+)"')


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")))
def test_no_anchor_stands_twice(page: str) -> None:
    counts = Counter(_ANCHOR.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))
    assert [name for name, count in counts.items() if count > 1] == []
