"""Groups of questions by name: which spellings mean the same, and where a question stands among known groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

MOST_STRATA = 4
"""Strata, such as modality, sex and age band, that one piece of evidence may tell apart."""
MOST_GROUPS = 64
"""Values of a stratum: what has more is a number or a name, not a group."""


def group_key(name: str) -> str:
    """Fold a group's spelling: neither case nor runs of spaces make another group.

    Example:
        >>> group_key(" X-Ray ") == group_key("x-ray"), group_key("CT") == group_key("MRI")
        (True, False)
    """
    return " ".join(name.casefold().split())


def value_in(groups: Mapping[str, str], stratum: str) -> str | None:
    """Find a question's value of a stratum, folded as by `group_key`; None where it names none.

    Example:
        >>> value_in({"Modality": "CT"}, "modality"), value_in({"modality": "CT"}, "sex")
        ('ct', None)
    """
    wanted = group_key(stratum)
    found = next((value for name, value in groups.items() if group_key(name) == wanted), None)
    return (group_key(found) or None) if found is not None else None


def check_strata(strata: Sequence[str]) -> tuple[str, ...]:
    """Check the names of the strata that evidence is to tell apart.

    Raises:
        ValueError: If there are none, more than `MOST_STRATA`, or two of one name.
    """
    if not 1 <= len(strata) <= MOST_STRATA:
        raise ValueError(f"1 to {MOST_STRATA} strata can be told apart, not {len(strata)}")
    if not all(map(group_key, strata)) or len(set(map(group_key, strata))) < len(strata):
        raise ValueError(f"strata need names that differ, not {', '.join(strata)}")
    return tuple(strata)


def spellings(values: Iterable[str]) -> dict[str, str]:
    """Choose a spelling for each group: of those that mean the same, the first in the order of characters.

    Returns:
        Folded name -> spelling, in the order of the folded names.

    Raises:
        ValueError: If there are more than `MOST_GROUPS`.

    Example:
        >>> spellings(["mri", "CT", "ct"])
        {'ct': 'CT', 'mri': 'mri'}
    """
    found: dict[str, str] = {}
    for value in sorted(set(values), key=lambda each: (group_key(each), each)):
        found.setdefault(group_key(value), value)
    if len(found) > MOST_GROUPS:
        raise ValueError(f"{len(found)} values are too many to be groups; at most {MOST_GROUPS} can be told apart")
    return found
