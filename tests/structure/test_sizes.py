"""Sizes that a reader can hold in the head: of files, of packages, and of what a function takes."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tests.structure.sources import ALL, CODE, ROOT, plant, python_files, tree_of

MAX_LINES = 400
MAX_MODULES = 14
MAX_ARGUMENTS = 8
LARGE_PACKAGES = {
    "prompt4trust/calibration": "one module a family",
    "prompt4trust/estimators": "one module an estimator",
    "tests/deploy": "one module a part of the stack or a tool for it",
    "tests/k8s": "one module a kind of fault, beside the tests that plant it",
}
"""Packages of more modules than that, and why they are not divided."""


def long_files(root: Path) -> list[str]:
    """Files of more lines than one reads at once."""
    return [
        str(path.relative_to(root))
        for path in python_files(root, ALL)
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    ]


def large_packages(root: Path) -> list[str]:
    """Packages of more modules side by side than one finds a thing among."""
    modules = [path for path in python_files(root, ALL) if path.name != "__init__.py"]
    counts = Counter(str(path.parent.relative_to(root)) for path in modules)
    return sorted(name for name, count in counts.items() if count > MAX_MODULES)


def long_signatures(root: Path) -> list[str]:
    """Functions of more arguments by position than one can keep in order; commands are called by name."""
    found = []
    for path in python_files(root, CODE):
        if path.is_relative_to(root / "trustvqa" / "cli"):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
                if len(set(names) - {"self", "cls"}) > MAX_ARGUMENTS:
                    found.append(f"{path.relative_to(root)}:{node.name}")
    return found


def test_files_are_short() -> None:
    assert long_files(ROOT) == []


def test_packages_are_small_or_say_why_not() -> None:
    assert large_packages(ROOT) == sorted(LARGE_PACKAGES)


def test_functions_take_few_arguments_by_position() -> None:
    assert long_signatures(ROOT) == []


def test_what_is_too_large_is_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "services/long.py", "x = 1\n" * (MAX_LINES + 1))
    plant(tmp_path, "services/short.py", "x = 1\n" * MAX_LINES)
    for number in range(MAX_MODULES + 1):
        plant(tmp_path, f"deploy/a{number}.py", "")
        plant(tmp_path, f"trustvqa/{number % MAX_MODULES}.py", "")
    many, few = ", ".join("abcdefghi"), ", ".join("abcdefgh")
    plant(tmp_path, "services/b.py", f"def f({many}): ...\nclass A:\n    async def g(self, {few}, *, i): ...\n")
    assert long_files(tmp_path) == ["services/long.py"]
    assert large_packages(tmp_path) == ["deploy"]
    assert long_signatures(tmp_path) == ["services/b.py:f"]
