"""The library's errors: the tree that is drawn is the tree that there is."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import pytest

import prompt4trust
from prompt4trust import errors

_LINE = re.compile(r"^((?:│   |    )*)(?:[├└]── )?(\w+Error)\b")


def drawn() -> list[tuple[int, str]]:
    found = [_LINE.match(line) for line in (errors.__doc__ or "").splitlines()]
    return [(len(each[1]) // 4 + (each[0] != each[2]), each[2]) for each in found if each]


def branches(error: type[Exception], depth: int = 0) -> list[tuple[int, str]]:
    own = [each for each in error.__subclasses__() if each.__module__ == errors.__name__]
    return [(depth, error.__name__), *(line for each in own for line in branches(each, depth + 1))]


def test_the_drawing_is_the_tree() -> None:
    assert drawn() == branches(errors.Prompt4TrustError)


def test_no_other_module_defines_an_error() -> None:
    for module in pkgutil.walk_packages(prompt4trust.__path__, "prompt4trust."):
        for each in vars(import_module(module.name)).values():
            if isinstance(each, type) and issubclass(each, Exception) and each.__module__ == module.name:
                assert module.name == errors.__name__, each


def test_what_cannot_be_used_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="no such file"):
        raise errors.DatasetError("x.csv: no such file")
    assert not issubclass(errors.TransportError, ValueError)
