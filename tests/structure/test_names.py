"""Names: one class of a name in all that is installed, and modules that are called after what is inside."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from tests.structure.sources import ALL, CODE, ROOT, plant, python_files, tree_of

NO_NOUNS = {
    *("keeping", "kept", "shapes", "asked", "asking", "reported", "telling", "leash", "polled", "starting", "endings"),
    *("confined", "quiet", "accepting"),
}
"""Names that modules had, and that said nothing of what was inside."""


def classes_of_one_name(root: Path) -> dict[str, list[str]]:
    """Public names that several classes have -> the modules that these are in."""
    found = defaultdict(list)
    for path in python_files(root, CODE):
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(root)))
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def modules_without_a_noun(root: Path) -> list[str]:
    """Modules and packages whose name is, or ends with, one of those that say nothing."""
    return [
        str(path.relative_to(root))
        for path in python_files(root, ALL)
        if {each.split("_")[-1] for each in path.relative_to(root).with_suffix("").parts} & NO_NOUNS
    ]


def test_no_two_public_classes_have_one_name() -> None:
    assert classes_of_one_name(ROOT) == {}


def test_modules_are_called_after_what_is_inside() -> None:
    assert modules_without_a_noun(ROOT) == []


def test_two_classes_of_one_name_are_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "prompt4trust/one.py", "class Verdict:\n    pass\nclass _Own:\n    pass\n")
    plant(tmp_path, "services/policy/two.py", "class Verdict:\n    pass\nclass _Own:\n    pass\n")
    assert classes_of_one_name(tmp_path) == {"Verdict": ["prompt4trust/one.py", "services/policy/two.py"]}


def test_a_module_that_says_nothing_is_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "services/policy/being_asked.py", "")
    plant(tmp_path, "services/leash/process.py", "")
    plant(tmp_path, "services/policy/task.py", "")
    assert modules_without_a_noun(tmp_path) == [
        "services/leash/__init__.py",
        "services/leash/process.py",
        "services/policy/being_asked.py",
    ]
