"""The project's source files as syntax trees, and copies of them to plant mistakes in."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("prompt4trust", "trustvqa", "services")
"""The packages that are installed."""
ALL = (*CODE, "models", "benchmarks", "deploy", "tests")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def python_files(root: Path, packages: Iterable[str]) -> list[Path]:
    """All modules of packages, in order."""
    return [path for package in packages for path in sorted((root / package).rglob("*.py"))]


def source_directories(root: Path, packages: Iterable[str]) -> list[Path]:
    """All directories that hold modules, relative to the root."""
    return sorted({path.parent.relative_to(root) for path in python_files(root, packages)})


@cache
def tree_of(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring, those below attributes included."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", ()) if isinstance(node, ast.Module | Definition) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                text = statement.value.value
                if isinstance(text, str):
                    yield statement.lineno, text


def plant(root: Path, path: str, text: str) -> None:
    """Write a module, and the packages that it lies in."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    for folder in target.relative_to(root).parents[:-1]:
        (root / folder / "__init__.py").touch()
