"""A sum of small regression trees none of which ever falls in any of its inputs: as lists for a file, and applied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.tally import FloatArray

LEAF: Final = -1
"""Stands for the column of a leaf, which asks for none."""
MOST_NODES: Final = 1000
"""Splits and leaves of all trees together, so that a file stays one that can be read, and is soon applied."""
_ROWS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees one after the other, each node before what hangs on its left, and that before what hangs on its right.

    Rows that are alike up to a split and differ there go left with the lower value. So where a tree's leaves rise from
    the left to the right, as they must here, no column's higher value ever leads to a lower leaf.

    Attributes:
        columns: Of each node the column that it asks for, from 0; `LEAF` of a leaf.
        values: Of a split the threshold up to which a row goes left, of a leaf what it adds; of the same length.

    Raises:
        ValueError: If these are no trees, too many, or fall somewhere.

    Example:
        >>> step = Trees((0, LEAF, 1, LEAF, LEAF), (0.5, -1.0, 0.2, 0.0, 2.0))  # only where both columns are high
        >>> step.sum([np.array([0.4, 0.6, 0.6]), np.array([0.9, 0.1, 0.9])], 0.1).tolist()
        [-0.9, 0.1, 2.1]
        >>> step.range
        (-1.0, 2.0)
    """

    columns: tuple[int, ...]
    values: tuple[float, ...]
    _layout: _Layout = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check and lay out the nodes."""
        if len(self.columns) != len(self.values) or len(self.columns) > MOST_NODES:
            raise ValueError(f"trees have a column and a value for each of at most {MOST_NODES} nodes")
        if not all(map(math.isfinite, self.values)) or min(self.columns, default=LEAF) < LEAF:
            raise ValueError("trees are of finite numbers, and their columns counted from 0")
        object.__setattr__(self, "_layout", _Layout.of(self.columns, self.values))

    @classmethod
    def of_sklearn(cls, model: Any) -> Self:
        """Take over the trees of a fitted `HistGradientBoostingClassifier` of two classes, number for number.

        There is no public way to them; the names are those of the release that is pinned, and a test compares sums.
        """
        columns, values = [], []
        for (tree,) in model._predictors:
            left = [0]
            while left:
                node = tree.nodes[left.pop()]
                columns.append(LEAF if node["is_leaf"] else int(node["feature_idx"]))
                values.append(float(node["value" if node["is_leaf"] else "num_threshold"]))
                left += [] if node["is_leaf"] else [node["right"], node["left"]]
        return cls(tuple(columns), tuple(values))

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest sum that any row can have."""
        return self._layout.range

    def sum(self, columns: Sequence[FloatArray], start: float) -> FloatArray:
        """Add to `start` what each tree gives a row, one tree after the other.

        Args:
            columns: All that the trees ask for; shape [n] each.
            start: What a row has without trees.

        Returns:
            The sums; shape [n]. To the last bit they are those of scikit-learn, which adds in the same order.
        """
        table = np.column_stack(columns)
        parts = [table[begin : begin + _ROWS_AT_ONCE] for begin in range(0, len(table), _ROWS_AT_ONCE)]
        return np.concatenate([self._layout.sum(part, start) for part in parts] or [np.empty(0)])


@dataclass(frozen=True, slots=True)
class _Layout:
    """The nodes as arrays; a leaf's left and right are itself, so that all rows take as many steps."""

    column: npt.NDArray[np.intp]
    threshold: FloatArray
    left: npt.NDArray[np.intp]
    right: npt.NDArray[np.intp]
    leaf: FloatArray
    roots: npt.NDArray[np.intp]
    steps: int
    range: tuple[float, float]

    @classmethod
    def of(cls, columns: Sequence[int], values: Sequence[float]) -> Self:
        """Find what hangs on what; raises ValueError where a tree has no end, or falls."""
        n = len(columns)
        left, right, depth = np.arange(n), np.arange(n), np.zeros(n + 1, dtype=np.intp)
        roots: list[int] = []
        waiting: list[int] = []  # splits of which nothing yet hangs on the right
        lowest = highest = 0.0
        begins, last = True, -math.inf
        for place, column in enumerate(columns):
            if begins:
                roots.append(place)
                last = -math.inf
            if column != LEAF:
                left[place], depth[place + 1] = place + 1, depth[place] + 1
                waiting.append(place)
                begins = False
                continue
            if values[place] < last:
                raise ValueError("the leaves of a tree must rise from the left to the right")
            lowest += values[place] if last == -math.inf else 0.0
            last = values[place]
            begins = not waiting
            if begins:
                highest += last
            else:
                split = waiting.pop()
                right[split], depth[place + 1] = place + 1, depth[split] + 1
        if not begins:
            raise ValueError("the last tree has no end")
        column_of, value = np.array(columns, dtype=np.intp), np.array(values, dtype=np.float64)
        is_leaf = column_of == LEAF
        return cls(
            np.where(is_leaf, 0, column_of),
            np.where(is_leaf, np.inf, value),
            left,
            right,
            value,
            np.array(roots, dtype=np.intp),
            int(depth[:n].max(initial=0)),
            (lowest, highest),
        )

    def sum(self, table: FloatArray, start: float) -> FloatArray:
        """Walk all trees at once; table of shape [n, columns], the result [n]."""
        at = np.broadcast_to(self.roots, (len(table), len(self.roots)))
        row = np.arange(len(table))[:, None]
        for _ in range(self.steps):
            at = np.where(table[row, self.column[at]] <= self.threshold[at], self.left[at], self.right[at])
        begin = np.full((len(table), 1), start)
        # Not np.sum, which adds in pairs and so rounds otherwise.
        return np.asarray(np.cumsum(np.hstack([begin, self.leaf[at]]), axis=1)[:, -1], dtype=np.float64)
