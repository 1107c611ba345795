"""Risk-controlled deferral that holds in every group at once: a threshold each, the probability of failure shared.

Each group has its own answers, its own sequence of tests (see `prompt4trust.selection.risk`) and its own threshold
(Mondrian: Vovk et al., *Algorithmic Learning in a Random World*, 2005, chapter 4). Of delta each of G groups has
delta / G, so that the promise fails in any of them with probability delta at most, whatever the groups have in common
(Bonferroni). A threshold for all together, tested on all, would promise the mean alone: a group that errs more often
would be outweighed by one that errs less.

Where several strata are named (modality and sex), the groups are the combinations of their values: what holds in every
combination holds for each value alone, whose share of errors is a mean of theirs.

A group with fewer than `LEAST_ROWS` tested questions is promised nothing and has no share of delta. Who is left out is
settled by counts, not by outcomes, so that nothing is paid for that choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prompt4trust.group_names import value_in
from prompt4trust.selection.risk import RiskRule

LEAST_ROWS: Final = 50
"""Questions of a group below which it is promised nothing: without one error 50 prove a share of 8 % in one of three
groups at delta 0.05, and fewer hardly anything that somebody would accept."""
MOST_COMBINATIONS: Final = 256
"""Groups of one guard at most."""


@dataclass(frozen=True, slots=True)
class GroupRule:
    """A group's thresholds.

    Attributes:
        groups: The group: stratum -> value.
        rows: Questions of it that were tested, those without a verdict included.
        rule: Its thresholds, at its share of delta; None where it has too few questions.
    """

    groups: Mapping[str, str]
    rows: int
    rule: RiskRule | None

    @property
    def line(self) -> str:
        """The group in words: "modality CT, sex F"."""
        return ", ".join(f"{name} {value}" for name, value in self.groups.items())


class GroupRules:
    """The thresholds of every group.

    Args:
        strata: Names of the strata whose combined values are the groups.
        groups: The groups, none twice.
        delta: Probability with which the promise may fail in any of them.

    Example:
        >>> sure, unsure = [True] * 2 + [False] * 98, [True] * 30 + [False] * 70
        >>> scores = [float(place) for place in range(9000, 8900, -1)]
        >>> ct = GroupRule({"modality": "CT"}, 100, RiskRule(scores, sure, [75], 0.025))
        >>> mr = GroupRule({"modality": "MR"}, 100, RiskRule(scores, unsure, [75], 0.025))
        >>> rules = GroupRules(["modality"], [ct, mr], delta=0.05)
        >>> [found.rule.at(0.1) is not None for name in ("CT", "MR") if (found := rules.of({"modality": name}))]
        [True, False]
        >>> rules.of({"modality": "US"}) is None, rules.unnamed({"sex": "F"})
        (True, ['modality'])
    """

    def __init__(self, strata: Sequence[str], groups: Sequence[GroupRule], delta: float) -> None:
        self.strata = tuple(strata)
        self.groups = tuple(groups)
        self.delta = delta
        self._places = {self._place(each.groups): each for each in groups}

    def of(self, groups: Mapping[str, str]) -> GroupRule | None:
        """Find the group of a question; None where it does not name all strata, or no such group was checked.

        Args:
            groups: What is known of the question; neither case nor runs of spaces matter.
        """
        place = self._place(groups)
        return None if None in place else self._places.get(place)

    def unnamed(self, groups: Mapping[str, str]) -> list[str]:
        """Name the strata that a question does not name."""
        return [name for name in self.strata if value_in(groups, name) is None]

    def _place(self, groups: Mapping[str, str]) -> tuple[str | None, ...]:
        return tuple(value_in(groups, name) for name in self.strata)
