"""Docstrings name the thing first: none begins as a riddle does."""

from __future__ import annotations

import re
from pathlib import Path

from tests.structure.sources import ALL, ROOT, docstrings, plant, python_files, tree_of

RIDDLE = re.compile(r"\s*(?:What|Says?|Tells?)\b")
PERHAPS = re.compile(r"""["'](?:\\\n|\s)*(?:What|Says?|Tells?)\b""")
"""Text without which a file has no such docstring: most files are not parsed for their docstrings."""


def riddles(root: Path) -> list[str]:
    """Path and line of docstrings that begin with What, Say or Tell."""
    return [
        f"{path.relative_to(root)}:{line}"
        for path in python_files(root, ALL)
        if PERHAPS.search(path.read_text(encoding="utf-8"))
        for line, text in docstrings(tree_of(path))
        if RIDDLE.match(text)
    ]


def test_docstrings_name_the_thing_first() -> None:
    assert riddles(ROOT) == []


def test_a_riddle_is_noticed(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "deploy/planted.py",
        '"""What it is."""\nX = 1\n"""Tells nobody."""\nclass A:\n    """Says:"""\n    """Whatever."""\n',
    )
    plant(tmp_path, "services/planted.py", "async def say():\n    '''\n    Say it.'''\n    return 'What'\n")
    plant(tmp_path, "services/continued.py", '"""\\\nWhat it is."""\n')
    assert sorted(riddles(tmp_path)) == [
        "deploy/planted.py:1",
        "deploy/planted.py:3",
        "deploy/planted.py:5",
        "services/continued.py:1",
        "services/planted.py:2",
    ]
