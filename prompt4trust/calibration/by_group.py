"""Corrections by group, shrunk to the population's: where a group's answers are right more or less often than said.

Behind the population's calibrator every group has one number, which is added to the logit of the corrected confidence.
The numbers of a stratum are drawn towards 0, the population's calibrator, by a normal prior: a group with few answers
stays near it, one with many gets nearly its own. The prior's spread is what the answers themselves say of how much the
groups differ (empirical Bayes: the spread under which they are likeliest). Where that is no likelier than no difference
at all, by more than chance, the spread is 0 and every group has the population's confidence to the last digit.

Strata (modality, sex, age band) are fitted together and their numbers add up, so that what modality explains is not
told again as sex.

Source: Stein's and Lindley's shrinkage as random intercepts of a logistic model, their spread by Laplace's
approximation (Breslow and Clayton, JASA 88, 1993). That a population's calibrator first and the groups' behind it,
weighted by their size, serves small groups of medical questions is CALIN's idea (arXiv 2506.23298); this is another
way to do it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import expit

from prompt4trust.calibration.base import check_confidence, check_fitting_rows, evidence, finest_clip
from prompt4trust.group_names import MOST_GROUPS, MOST_STRATA, check_strata, group_key, spellings, value_in
from prompt4trust.metrics.clusters import IntArray, cluster_codes, design_effect
from prompt4trust.metrics.tally import BoolArray, FloatArray

_SPREADS: Final = (0.0, *(float(each) for each in np.geomspace(0.05, 2.0, 16)))
"""Spreads of a stratum's numbers that are tried: 2 takes 0.5 to 0.88 in a group that is one spread off."""
_GAIN: Final = 1.92
"""Log likelihood that a spread above 0 must gain. Without a difference a stratum gains as much in one draw of forty:
twice the gain is 0 in half of the draws, and else chi-squared of one degree."""
_ROUNDS: Final = 3
_STEPS: Final = 50

Groups = Sequence[Mapping[str, str]]
"""For each answer what is known of its question: stratum -> value."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class GroupOffset(_Part):
    """One group's number.

    Attributes:
        offset: Added to the logit of the population's corrected confidence.
        n: Answers of the group that it was fitted on.
    """

    offset: float
    n: int = Field(ge=1)


class StratumOffsets(_Part):
    """The numbers of a stratum's groups.

    Attributes:
        name: The stratum, such as modality.
        spread: Standard deviation of the prior that draws them to 0; 0 where the answers show no difference.
        groups: Value -> number.
    """

    name: str = Field(min_length=1)
    spread: float = Field(ge=0)
    groups: Annotated[dict[str, GroupOffset], Field(min_length=1, max_length=MOST_GROUPS)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if len({group_key(value) for value in self.groups}) < len(self.groups):
            raise ValueError(f"two groups of {self.name} have one name")
        return self

    @property
    def changes(self) -> bool:
        """Whether any group has a number but 0: else all have the population's correction, known here or not."""
        return any(each.offset != 0 for each in self.groups.values())

    def place(self, groups: Mapping[str, str]) -> str | None:
        """Find the group of a question, as it is spelt here; None where it names none, or one that is not known."""
        wanted = value_in(groups, self.name)
        return next((value for value in self.groups if group_key(value) == wanted), None)


class GroupOffsets(_Part):
    """Corrections by group, behind those of a population's calibrator.

    Attributes:
        strata: The strata, whose numbers add up.
        clip: Least distance of a corrected confidence from 0 and 1 where its logit is taken.

    Example:
        >>> says = np.full(400, 0.7)
        >>> right = np.array(([True] * 9 + [False]) * 20 + [True, False] * 100)  # 0.9 of CT, half of MR
        >>> groups = [{"modality": "CT"}] * 200 + [{"modality": "MR"}] * 200
        >>> offsets = GroupOffsets.fit(says, right, groups, ["modality"])
        >>> offsets.apply([0.7] * 3, [{"modality": "CT"}, {"modality": "MR"}, {"modality": "US"}]).round(2).tolist()
        [0.9, 0.5, 0.7]
    """

    strata: Annotated[tuple[StratumOffsets, ...], Field(min_length=1, max_length=MOST_STRATA)]
    clip: float = Field(gt=0, lt=0.5)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        check_strata([stratum.name for stratum in self.strata])
        return self

    @classmethod
    def fit(
        cls,
        corrected: npt.ArrayLike,
        correct: npt.ArrayLike,
        groups: Groups,
        strata: Sequence[str],
        *,
        clusters: Sequence[str] | None = None,
    ) -> Self:
        """Fit on held-out answers.

        Args:
            corrected: Confidences as the population's calibrator corrects them, in [0, 1]; shape [n], n >= 20. Best by
                one that was fitted without the answer, or a curve's own overfit is taken for a group's virtue.
            correct: Whether each answer is right; shape [n], right and wrong ones among them.
            groups: What is known of each question; n of them. One that does not name a stratum has no number of it.
            strata: Names of 1 to 4 strata.
            clusters: What each answer belongs to, such as its picture, n of them; answers that are alike within one
                count for less (see `prompt4trust.metrics.clusters.design_effect`). None where every one stands alone.

        Raises:
            ValueError: If the rows are not as described, a stratum is named by no answer, or has more than 64 values.
        """
        stated, right = check_fitting_rows(corrected, correct)
        if len(groups) != len(stated):
            raise ValueError(f"there must be groups for each of {len(stated)} answers, not {len(groups)}")
        codes, names = [], []
        for stratum in check_strata(strata):
            found = [value_in(each, stratum) for each in groups]
            spelt = spellings(
                value for each in groups for name, value in each.items() if group_key(name) == group_key(stratum)
            )
            values = [value for value in spelt if value in set(found)]
            if not values:
                raise ValueError(f"no answer names its {stratum}")
            codes.append(np.array([values.index(each) if each is not None else -1 for each in found], dtype=np.intp))
            names.append([spelt[value] for value in values])
        clip = finest_clip(stated)
        effect = _effect(right - stated, codes, cluster_codes(clusters, len(stated)))
        rows = _Rows(evidence(stated, clip), right, codes, [len(each) for each in names], 1 / effect)
        spreads = rows.spreads()
        fitted = []
        for stratum, spread, numbers, code, spelt_as in zip(
            strata, spreads, rows.parts(rows.numbers(spreads)), codes, names, strict=True
        ):
            counts = np.bincount(code[code >= 0], minlength=len(spelt_as)).tolist()
            own = {
                value: GroupOffset(offset=round(float(number), 6), n=count)
                for value, number, count in zip(spelt_as, numbers, counts, strict=True)
            }
            fitted.append(StratumOffsets(name=stratum, spread=round(spread, 6), groups=own))
        return cls(strata=tuple(fitted), clip=clip)

    def known(self, groups: Mapping[str, str]) -> dict[str, str]:
        """Name the groups of a question that have a correction of their own: stratum -> value, as they are spelt here.

        A stratum that shows no difference, where every group has the population's, names none.
        """
        found = {stratum.name: stratum.place(groups) for stratum in self.strata if stratum.changes}
        return {name: value for name, value in found.items() if value is not None}

    def offset(self, groups: Mapping[str, str]) -> float:
        """Add up a question's numbers; 0, the population's correction, where none of its groups is known."""
        return sum(
            stratum.groups[value].offset for stratum in self.strata if (value := stratum.place(groups)) is not None
        )

    def apply(self, corrected: npt.ArrayLike, groups: Groups) -> FloatArray:
        """Correct confidences that the population's calibrator has corrected.

        Args:
            corrected: In [0, 1]; shape [n].
            groups: What is known of each question; n of them.

        Returns:
            Confidences in [0, 1]; shape [n]. Those of unknown groups, and of groups whose number is 0, stay.

        Raises:
            ValueError: If a confidence is out of range, or there are not as many groups.
        """
        stated = check_confidence(corrected)
        if stated.shape != (len(groups),):
            raise ValueError(f"confidences must have shape ({len(groups)},) as groups have, not {stated.shape}")
        offsets = np.array([self.offset(each) for each in groups], dtype=np.float64)
        moved = expit(evidence(stated, self.clip) + offsets)
        return np.asarray(np.where(offsets == 0, stated, moved), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Name the strata that show no difference; empty where all do."""
        return [
            f"the answers show no difference by {stratum.name}: its groups have the population's correction"
            for stratum in self.strata
            if stratum.spread == 0
        ]


def _effect(gap: FloatArray, codes: Sequence[npt.NDArray[np.intp]], clusters: IntArray | None) -> float:
    """Compute how many answers are worth one that stands alone, what their groups have in common set aside."""
    if clusters is None:
        return 1.0
    _, cell = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    return design_effect(gap - (np.bincount(cell, gap) / np.bincount(cell))[cell], clusters)


class _Rows:
    """Answers as a logistic model with an intercept a group: their fixed logits, outcomes and group numbers."""

    def __init__(
        self,
        base: FloatArray,
        right: BoolArray,
        codes: Sequence[npt.NDArray[np.intp]],
        sizes: list[int],
        weight: float,
    ) -> None:
        self.base, self.right, self.sizes, self.weight = base, right.astype(np.float64), sizes, weight
        self.member = np.concatenate(
            [code[:, None] == np.arange(size) for code, size in zip(codes, sizes, strict=True)], axis=1
        ).astype(np.float64)

    def parts(self, numbers: FloatArray) -> list[FloatArray]:
        """Divide the numbers of all groups by stratum."""
        return [np.asarray(part) for part in np.split(numbers, np.cumsum(self.sizes)[:-1])]

    def spreads(self) -> list[float]:
        """Find the spreads under which the outcomes are likeliest, stratum by stratum, over and over."""
        found = [0.0] * len(self.sizes)
        for _ in range(_ROUNDS if len(found) > 1 else 1):
            before = list(found)
            for place in range(len(found)):
                likely = {each: self._likelihood([*found[:place], each, *found[place + 1 :]]) for each in _SPREADS}
                best = max(likely, key=lambda each: likely[each])
                found[place] = best if likely[best] - likely[0.0] >= _GAIN else 0.0
            if found == before:
                break
        return found

    def numbers(self, spreads: Sequence[float]) -> FloatArray:
        """Find the likeliest numbers under these spreads by Newton's method, halving a step that overshoots."""
        widths = np.repeat(spreads, self.sizes)
        free = widths > 0
        numbers = np.zeros(len(widths))
        if not free.any():
            return numbers
        member, precision = self.member[:, free], 1 / widths[free] ** 2
        inner = np.zeros(int(free.sum()))
        value = self._penalised(member, inner, precision)
        for _ in range(_STEPS):
            chance = expit(self.base + member @ inner)
            slope = self.weight * (member.T @ (self.right - chance)) - precision * inner
            curve = self._curve(member, chance) + np.diag(precision)
            step = np.linalg.solve(curve, slope)
            while (following := self._penalised(member, inner + step, precision)) < value and np.abs(step).max() > 1e-9:
                step = step / 2
            inner, value = inner + step, following
            if np.abs(step).max() <= 1e-9:
                break
        numbers[free] = inner
        return numbers

    def _penalised(self, member: FloatArray, numbers: FloatArray, precision: FloatArray) -> float:
        return self._fit(member @ numbers) - float(precision @ numbers**2) / 2

    def _fit(self, moved: FloatArray) -> float:
        logits = self.base + moved
        return self.weight * float((self.right * logits - np.logaddexp(0, logits)).sum())

    def _curve(self, member: FloatArray, chance: FloatArray) -> FloatArray:
        return np.asarray(self.weight * ((member * (chance * (1 - chance))[:, None]).T @ member))

    def _likelihood(self, spreads: Sequence[float]) -> float:
        """Approximate the log likelihood of the outcomes, the numbers integrated out (Laplace)."""
        widths = np.repeat(spreads, self.sizes)
        free = widths > 0
        if not free.any():
            return self._fit(np.zeros(len(self.base)))
        numbers = self.numbers(spreads)
        member, width = self.member[:, free], widths[free]
        chance = expit(self.base + self.member @ numbers)
        curve = self._curve(member, chance)
        scaled = np.eye(len(width)) + width[:, None] * curve * width
        _, determinant = np.linalg.slogdet(scaled)
        return self._penalised(member, numbers[free], 1 / width**2) - float(determinant) / 2
