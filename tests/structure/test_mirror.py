"""Tests lie as the code does: a directory of tests for a package has the package's own path."""

from __future__ import annotations

from pathlib import Path

from tests.structure.sources import ROOT, plant, source_directories

WITHOUT_A_PACKAGE = {
    "tests/structure": "the whole tree",
    "tests/support": "helpers of many tests",
    "tests/system": "all services together",
    "tests/vllm": "a program that is not ours",
}
"""Directories of tests that no package stands behind, and what they are about instead."""


def stray_tests(root: Path) -> list[str]:
    """Directories of tests whose path below tests/ leads to no package."""
    folders = [each for each in source_directories(root, ["tests"]) if len(each.parts) > 1]
    return [str(folder) for folder in folders if not (root / folder.relative_to("tests") / "__init__.py").is_file()]


def test_every_directory_of_tests_mirrors_a_package() -> None:
    assert stray_tests(ROOT) == sorted(WITHOUT_A_PACKAGE)


def test_a_stray_directory_is_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "services/policy/a.py", "")
    plant(tmp_path, "tests/services/policy/test_a.py", "")
    plant(tmp_path, "tests/services/polcy/test_a.py", "")
    assert stray_tests(tmp_path) == ["tests/services/polcy"]
