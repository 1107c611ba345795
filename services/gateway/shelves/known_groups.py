"""The groups that the live evidence tells apart, so that whoever asks can be offered them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prompt4trust.calibration import CalibrationKey
from prompt4trust.group_names import group_key
from services.gateway.shelves.evidence import Shelves
from services.gateway.shelves.guards import Guard


def known_groups(shelves: Shelves, asks: Callable[[CalibrationKey], bool]) -> dict[str, list[str]]:
    """Name the strata and values by which live calibrators and guards tell questions apart.

    Args:
        shelves: The evidence as last read.
        asks: Whether answers of a key are made now: evidence of any other reaches no question.

    Returns:
        Stratum -> values, in the order of their folded names; of one that is spelt in several ways the first spelling.
        Empty where all questions have the same evidence. A stratum that shows no difference is not named.
    """
    found: dict[str, dict[str, str]] = {}
    spelt: dict[str, str] = {}
    for stratum, value in _pairs(shelves, asks):
        name = spelt.setdefault(group_key(stratum), stratum)
        found.setdefault(name, {}).setdefault(group_key(value), value)
    return {name: [values[key] for key in sorted(values)] for name, values in sorted(found.items())}


def _pairs(shelves: Shelves, asks: Callable[[CalibrationKey], bool]) -> Iterator[tuple[str, str]]:
    for each in shelves.calibrators.content.fitted:
        key, by_group = each.artifact.key, each.artifact.by_group
        if by_group is not None and asks(key) and shelves.calibrators.content.live(key) is each:
            yield from ((one.name, value) for one in by_group.strata if one.changes for value in one.groups)
    for guard in shelves.guards.content:
        if asks(guard.artifact.key) and shelves.guard(guard.artifact.key) is guard:
            yield from _of_guard(guard)


def _of_guard(guard: Guard) -> Iterator[tuple[str, str]]:
    if guard.groups is not None:
        yield from (pair for each in guard.groups.groups for pair in each.groups.items())
    options = guard.artifact.options
    if options is not None and options.group is not None:
        yield from ((options.group, value) for value in options.scores)
