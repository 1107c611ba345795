"""The examples in the library's docstrings: they run, and what a researcher calls has one."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest

import prompt4trust

MODULES = ["prompt4trust", *(module.name for module in pkgutil.walk_packages(prompt4trust.__path__, "prompt4trust."))]
LEAST = 200
"""Lines that begin with >>> in all modules together, at least."""


def examples(module: str) -> list[doctest.DocTest]:
    return doctest.DocTestFinder(exclude_empty=True).find(import_module(module))


@pytest.mark.parametrize("module", [module for module in MODULES if any(each.examples for each in examples(module))])
def test_examples_give_what_they_show(module: str) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    said: list[str] = []
    for example in examples(module):
        runner.run(example, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_there_are_many() -> None:
    assert sum(len(example.examples) for module in MODULES for example in examples(module)) >= LEAST


@pytest.mark.parametrize("package", ["metrics", "verdict", "rewards", "calibration", "selection", "plots"])
def test_each_function_that_a_researcher_calls_has_an_example(package: str) -> None:
    module = import_module(f"prompt4trust.{package}")
    names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    functions = [each for name in names if inspect.isfunction(each := getattr(module, name))]
    own = [each for each in functions if each.__module__.startswith("prompt4trust.")]
    assert own
    assert [each.__name__ for each in own if ">>> " not in (each.__doc__ or "")] == []


def test_each_calibrator_family_has_an_example() -> None:
    families = prompt4trust.FAMILIES
    assert [name for name, family in families.items() if ">>> " not in (family.__doc__ or "")] == []
