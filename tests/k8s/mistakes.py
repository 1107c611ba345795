"""Mistakes to plant in rendered manifests, so that each check is seen to notice its own."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from tests.k8s.cases import cluster
from tests.k8s.documents import Cluster

GONE = object()
POD = "spec template spec"
CONTAINER = f"{POD} containers 0"
CONFIG = "data trustvqa.yaml"


def planted(case: str, kind: str, name: str, path: str, value: Any) -> Cluster:
    """Copy a case and set what a path of keys (with blanks between) leads to.

    A list is gone into by an index or the `name` of one of its things. A function as the value makes the new value of
    the old one; GONE takes it away.
    """
    documents = copy.deepcopy(cluster(case).documents)
    (place,) = [
        each
        for each in documents
        if each["kind"] == kind and re.fullmatch(f"{name}(-[a-z0-9]{{10}})?", each["metadata"]["name"])
    ]
    *way, end = path.split()
    last: str | int = end
    found: Any = place
    for key in way:
        found = _step(found, key)
    if isinstance(found, list):
        last = found.index(_step(found, end))
    if value is GONE:
        del found[last]
    else:
        found[last] = value(found[last]) if callable(value) else value
    return Cluster(documents)


def _step(place: Any, key: str) -> Any:
    if not isinstance(place, list):
        return place[key]
    return place[int(key)] if key.isdigit() else next(each for each in place if each["name"] == key)


def text(old: str, new: str) -> Callable[[str], str]:
    """Replace in a text, which must be there."""

    def apply(held: str) -> str:
        assert old in held
        return held.replace(old, new, 1)

    return apply


def more(value: Any) -> Callable[[list[Any]], list[Any]]:
    """Add to a list."""
    return lambda held: [*held, value]


Mistake = tuple[str, str, str, Any, str]


def ids(mistakes: list[tuple[Any, ...]]) -> list[str]:
    return [f"{each[0]}-{each[1]}-{each[2].replace(' ', '.')}"[-70:] for each in mistakes]
