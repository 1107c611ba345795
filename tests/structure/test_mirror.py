"""Tests lie as the code does: a directory of tests has the path of what it tests."""

from __future__ import annotations

from pathlib import Path

from tests.structure.sources import ROOT, plant, source_directories

OF_NO_DIRECTORY = {
    "tests/clients": "programs that others generate",
    "tests/fuzz": "all services, by requests that nobody wrote",
    "tests/structure": "the whole tree",
    "tests/support": "helpers of many tests",
    "tests/support/instructor": "a client that lives in an environment of its own",
    "tests/support/network": "helpers that stand between services",
    "tests/system": "all services together",
    "tests/system/faults": "what goes wrong with them",
    "tests/vllm": "a program that is not ours",
}
"""Directories of tests that mirror none, and what they are about instead."""


def stray_tests(root: Path) -> list[str]:
    """Directories of tests whose path below tests/ leads to no directory of sources."""
    folders = [each for each in source_directories(root, ["tests"]) if len(each.parts) > 1]
    return [str(folder) for folder in folders if not (root / folder.relative_to("tests")).is_dir()]


def test_every_directory_of_tests_mirrors_one_of_sources() -> None:
    assert stray_tests(ROOT) == sorted(OF_NO_DIRECTORY)


def test_a_stray_directory_is_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "services/policy/a.py", "")
    plant(tmp_path, "tests/services/policy/test_a.py", "")
    plant(tmp_path, "tests/services/polcy/test_a.py", "")
    assert stray_tests(tmp_path) == ["tests/services/polcy"]
