"""The library's examples in docs/: they run, and give what the comment beside them says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"= (-?[\d.]+)$")


def _given(statement: ast.stmt, known: dict[str, object]) -> object:
    """Run a statement; give the value of what stands alone or is assigned."""
    if isinstance(statement, ast.Expr | ast.Assign):
        value = eval(compile(ast.Expression(statement.value), "page", "eval"), known)  # noqa: S307 - our own page
        if isinstance(statement, ast.Assign):
            [target] = statement.targets
            known[ast.unparse(target)] = value
        return value
    exec(compile(ast.Module([statement], []), "page", "exec"), known)  # noqa: S102 - our own page
    return None


@pytest.mark.parametrize(("page", "least"), [("replies.md", 1), ("research.md", 2)])
def test_the_first_example_of_a_page_gives_what_it_says(page: str, least: int) -> None:
    block = _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))[0]
    known: dict[str, object] = {}
    compared = 0
    for statement in ast.parse(block).body:
        value = _given(statement, known)
        comment = block.splitlines()[(statement.end_lineno or 1) - 1].partition("  # ")[2]
        if number := _NUMBER.search(comment):
            assert value == pytest.approx(float(number[1]), abs=5e-4)
        elif comment.startswith("Verdict("):
            assert repr(value) == comment
        else:
            continue
        compared += 1
    assert compared >= least
