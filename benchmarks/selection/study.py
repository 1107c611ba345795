"""Divide answers into calibration and test again and again: how often a promise is broken, and how much is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompt4trust.metrics.selective import coverage_at_risk
from prompt4trust.selection import CheckedAnswer, OptionSets, RiskRule, nonconformity, place_start, start_counts, tie_of
from prompt4trust.selection.ranking import selection_score
from prompt4trust.selection.starts import set_aside

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_SETS_TRIED = 500


@dataclass(frozen=True, slots=True)
class PromiseOutcome:
    """Outcome of a promise at one accepted risk.

    Attributes:
        max_risk: The accepted risk.
        splits: Divisions tried.
        silent: Share of them in which nothing could be promised, so that everything deferred.
        broken: Share in which the answers given to *all* questions of the pool, from which the calibration answers were
            drawn with replacement, are wrong more often than promised. This is what is guaranteed to be at most delta.
        exceeded: Share in which the answers given to the questions left over by a draw without replacement are. Chance
            in these few questions comes on top, which no promise about future questions can exclude.
        coverage: Mean share of the left over questions that is answered.
        hindsight: Mean of the largest share that a threshold chosen on these very questions answers at that risk.
        error: Mean share of errors among those answered, over the splits that answer any.
    """

    max_risk: float
    splits: int
    silent: float
    broken: float
    exceeded: float
    coverage: float
    hindsight: float
    error: float


def try_promises(
    answers: Sequence[CheckedAnswer],
    risks: Sequence[float],
    *,
    rows: int,
    splits: int = 500,
    delta: float = 0.05,
    split_ties: bool = True,
    seed: int = 0,
) -> list[PromiseOutcome]:
    """Make promises from random calibration answers and look whether they hold.

    Args:
        answers: The pool, of one estimator.
        risks: Accepted risks in (0, 1).
        rows: Calibration answers of each division; more than 40 and fewer than there are.
        splits: Divisions.
        delta: Probability with which each promise may fail.
        split_ties: Whether equally confident answers are told apart.
        seed: Seed of the divisions.

    Returns:
        What became of each accepted risk.
    """
    scores = np.array([_score(answer, split_ties) for answer in answers])
    wrong = np.array([not answer.correct for answer in answers], dtype=np.bool_)
    confidence = np.array([answer.confidence or 0.0 for answer in answers])
    rng = np.random.default_rng(seed)
    found: dict[float, list[tuple[float, ...]]] = {risk: [] for risk in risks}
    for split in range(splits):
        order = rng.permutation(len(answers))
        left = order[rows:]
        rule = _rule(scores, wrong, order[:rows], delta, split, split_ties)
        again = _rule(scores, wrong, rng.integers(0, len(answers), rows), delta, split, split_ties)
        for risk in risks:
            given = scores[left] >= _threshold(rule, risk)
            broken = scores >= _threshold(again, risk)
            error = float(wrong[left][given].mean()) if given.any() else np.nan
            outcome = (
                float(not given.any()),
                float(broken.any() and wrong[broken].mean() > risk),
                float(error > risk),
                float(given.mean()),
                coverage_at_risk(confidence[left], ~wrong[left], risk),
                error,
            )
            found[risk].append(outcome)
    return [_summary(risk, np.array(rows_of)) for risk, rows_of in found.items()]


def _summary(risk: float, outcomes: Floats) -> PromiseOutcome:
    silent, broken, exceeded, coverage, hindsight = outcomes[:, :5].mean(axis=0).tolist()
    errors = outcomes[~np.isnan(outcomes[:, 5]), 5]
    error = float(errors.mean()) if len(errors) else float("nan")
    return PromiseOutcome(risk, len(outcomes), silent, broken, exceeded, coverage, hindsight, error)


@dataclass(frozen=True, slots=True)
class OptionSetOutcome:
    """Outcome of option sets at one coverage.

    Attributes:
        coverage: The coverage asked for.
        held: Mean share of left over questions whose set holds the right option.
        by_group: The same within each group; empty where there are none.
        size: Mean number of options in a set.
    """

    coverage: float
    held: float
    by_group: dict[str, float]
    size: float


def try_sets(
    answers: Sequence[CheckedAnswer],
    coverages: Sequence[float],
    *,
    rows: int,
    splits: int = 50,
    group: str | None = None,
    split_ties: bool = True,
    seed: int = 0,
) -> list[OptionSetOutcome]:
    """Make option sets from random calibration answers and look what they hold.

    Args:
        answers: The pool, of one estimator; those without probabilities of their options are left out.
        coverages: Each above 0 and below 1.
        rows: Calibration answers of each division.
        splits: Divisions; in each up to 500 of the left over questions are looked at.
        group: Stratum within whose values the sets are to cover.
        split_ties: Whether coverage is to be exact where probabilities are tied, or at least what is asked for.
        seed: Seed of the divisions.

    Returns:
        What became of each coverage; empty where no answer has probabilities.
    """
    usable = [answer for answer in answers if answer.truth in answer.options]
    if len(usable) <= rows:
        return []
    rng = np.random.default_rng(seed)
    seen: dict[float, list[tuple[str, bool, int]]] = {coverage: [] for coverage in coverages}
    for _ in range(splits):
        order = rng.permutation(len(usable))
        scores: dict[str, list[float]] = {}
        for place in order[:rows]:
            answer = usable[place]
            scores.setdefault(_group(answer, group), []).append(nonconformity(answer.options[answer.truth]))
        sets = OptionSets(scores)
        for place in order[rows : rows + _SETS_TRIED]:
            answer = usable[place]
            for coverage, rows_of in seen.items():
                chosen = sets.choose(
                    answer.options,
                    coverage,
                    group=_group(answer, group) if group else None,
                    place=tie_of([answer.id], "option set") if split_ties else None,
                )
                rows_of.append((_group(answer, group), answer.truth in chosen.letters, len(chosen.letters)))
    return [
        OptionSetOutcome(
            coverage,
            float(np.mean([held for _, held, _ in rows_of])),
            {name: float(np.mean([held for at, held, _ in rows_of if at == name]))
             for name in sorted({at for at, _, _ in rows_of}) if name},
            float(np.mean([size for *_, size in rows_of])),
        )
        for coverage, rows_of in seen.items()
    ]  # fmt: skip


def _rule(
    scores: Floats, wrong: Bools, rows: npt.NDArray[np.int_], delta: float, seed: int, split_ties: bool
) -> RiskRule | None:
    """Settle the start and test, as `fit_guard` does."""
    if split_ties:
        valid = rows[scores[rows] >= 0]
        return RiskRule(scores[valid], wrong[valid], start_counts(len(valid)), delta) if len(valid) else None
    placing, testing = (rows[list(places)] for places in set_aside(len(rows), seed))
    placing, testing = placing[scores[placing] >= 0], testing[scores[testing] >= 0]
    if len(placing) == 0:
        return None
    start = place_start(scores[placing], wrong[placing], len(testing), delta)
    return RiskRule(scores[testing], wrong[testing], start, delta)


def _threshold(rule: RiskRule | None, risk: float) -> float:
    limit = None if rule is None else rule.at(risk)
    return np.inf if limit is None else limit.score


def _score(answer: CheckedAnswer, split_ties: bool) -> float:
    if answer.confidence is None:
        return -1.0  # without a verdict: below every threshold
    return selection_score(answer.confidence, tie_of([answer.id]) if split_ties else 0.0)


def _group(answer: CheckedAnswer, group: str | None) -> str:
    return answer.groups[group] if group else ""
