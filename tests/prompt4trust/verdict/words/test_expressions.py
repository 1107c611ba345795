"""Expressions that are compiled when they are first used."""

from __future__ import annotations

import ast
import copy
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import prompt4trust.estimators
import prompt4trust.verdict
from prompt4trust.verdict.words.expressions import _Expression, expression
from tests.structure.sources import ROOT, plant, python_files, tree_of

PROBE = """
import json, re._compiler, sys
before, compiled = re._compiler.compile, []
re._compiler.compile = lambda pattern, flags=0: compiled.append(pattern) or before(pattern, flags)
import prompt4trust.verdict, prompt4trust.estimators
print(json.dumps([each for each in compiled if isinstance(each, str)]))
"""


def expressions() -> Iterator[re.Pattern[str]]:
    """All that modules of the verdict hold, in tuples and tables too, compiled or not."""
    kind: Any = _Expression  # which each is cast from
    names = [each.name for each in pkgutil.walk_packages(prompt4trust.verdict.__path__, "prompt4trust.verdict.")]
    for name in (*names, "prompt4trust.estimators._words"):
        left: list[object] = list(vars(importlib.import_module(name)).values())
        while left:
            value = left.pop()
            if isinstance(value, kind):
                yield value
            elif isinstance(value, tuple | list):
                left += value
            elif isinstance(value, dict):
                left += value.values()


def asked_for_re(root: Path) -> list[str]:
    """Places that ask a match for its expression: that is the compiled pattern, and never the one of a module."""
    return [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in python_files(root, ["prompt4trust"])
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr == "re"
    ]


def test_it_is_used_as_a_pattern_is() -> None:
    made, pattern = expression(r"(?P<word>a+)b", re.IGNORECASE), re.compile(r"(?P<word>a+)b", re.IGNORECASE)
    text = "AAb ab b"
    assert made.pattern == pattern.pattern
    assert (made.flags, made.groups, made.groupindex) == (pattern.flags, pattern.groups, pattern.groupindex)
    assert [each.groupdict() for each in made.finditer(text, 1)] == [
        each.groupdict() for each in pattern.finditer(text, 1)
    ]
    assert made.sub(r"\g<word>", text) == pattern.sub(r"\g<word>", text)
    assert made.search("c") is None


def test_a_fault_shows_at_the_first_use() -> None:
    faulty = expression("(")
    with pytest.raises(re.error):
        faulty.search("")


def test_it_can_be_copied() -> None:
    made = expression("a+", re.IGNORECASE)
    assert made.fullmatch("AA")
    assert copy.deepcopy(made).fullmatch("aA")


def test_one_is_found_before_and_after_it_is_compiled() -> None:
    made, kind = expression("a+"), cast("Any", _Expression)
    before = isinstance(made, kind)
    assert made.match("a")
    assert before
    assert isinstance(made, kind)


def test_every_expression_of_the_verdict_can_be_compiled() -> None:
    found = list(expressions())
    assert len(found) > 200
    for each in found:
        assert each.groups >= 0, each.pattern


def test_importing_the_verdict_compiles_none_of_them() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    compiled = set(json.loads(done.stdout))
    assert [each.pattern for each in expressions() if len(each.pattern) > 40 and each.pattern in compiled] == []


def test_no_match_is_asked_for_its_expression() -> None:
    assert asked_for_re(ROOT) == []


def test_asking_a_match_for_its_expression_is_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "prompt4trust/a.py", "def told(match, form):\n    return match.re is form\n")
    assert asked_for_re(tmp_path) == ["prompt4trust/a.py:2"]
