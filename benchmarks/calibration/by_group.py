"""Calibrators and promises by group, beside those of all together: python -m benchmarks.calibration.by_group.

Reads runs of `trustvqa evaluate`: one that calibrators are fitted on, one that thresholds are proved on, and one that
is reported. The first table is of the reported answers. For the second, answers are drawn from the two others together
again and again (with replacement, so that what holds among all of them is known), thresholds are proved on each draw,
and what they answer is judged on all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.confidence.table import interval
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.evaluation import Prediction, choose_family, fit_calibrator, read_predictions
from prompt4trust.evaluation.prediction_arrays import PredictionArrays
from prompt4trust.evaluation.selection_trials import checked_answers
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics
from prompt4trust.metrics.worst_group import worst_group
from prompt4trust.selection import RiskRule, start_counts, tie_of
from prompt4trust.selection.ranking import selection_score

RISKS: Final = (0.05, 0.1)
DELTA: Final = 0.05
PLAIN, BY_GROUP = "all together", "by group"
_MEASURES: Final = {"ece": METRICS["ece"], "nll": METRICS["nll"]}

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def calibrators(
    fitting: Sequence[Prediction], stratum: str, family: str, *, seed: int = 0
) -> dict[str, CalibratorArtifact]:
    """Fit a family for all together, and with a correction for each group behind it.

    Args:
        fitting: One method's answers.
        stratum: What groups are told by, such as modality.
        family: The calibrator's family.
        seed: Of the folds.
    """
    key = CalibrationKey(downstream="measured", policy=None, estimator=fitting[0].estimator, answer_template="any@1")
    return {
        name: fit_calibrator(
            fitting, name="calibrator", family=family, key=key, dataset="fitting", clock=lambda: datetime.now(UTC),
            strata=strata, resamples=2, seed=seed,
        )
        for name, strata in ((PLAIN, ()), (BY_GROUP, (stratum,)))
    }  # fmt: skip


def errors_by_group(
    test: Sequence[Prediction],
    fitted: Mapping[str, CalibratorArtifact],
    stratum: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure calibration errors over all answers, in each group, and in the worst of these.

    Args:
        test: The same method's answers to other questions, all of which name their group.
        fitted: What `calibrators` fitted.
        stratum: What groups are told by.
        resamples: Of the bootstrap, by picture.
        seed: Of the bootstrap.

    Returns:
        Calibrator -> ECE and log loss over all, n and ECE by group, and the worst group with what chance would make of
        the largest ECE; under "less" what groups' own corrections change, question by question.
    """
    stated = PredictionArrays.of(test)
    named = np.array([groups[stratum] for groups in stated.groups])
    parts = {"": np.arange(len(test)), **{value: np.flatnonzero(named == value) for value in sorted(set(named))}}
    found: dict[str, dict[str, dict[str, Sampled]]] = {}
    told: dict[str, Any] = {}
    for name, calibrator in fitted.items():
        corrected = stated.calibrated(calibrator)
        found[name] = {
            value: sampled_metrics(
                corrected.confidence[places], corrected.correct[places], _MEASURES,
                clusters=[stated.clusters[place] for place in places], resamples=resamples, seed=seed,
            )
            for value, places in parts.items()
        }  # fmt: skip
        groups = {value: own["ece"].interval for value, own in found[name].items() if value}
        worst = worst_group(
            groups, corrected.confidence, corrected.correct, list(named), resamples=resamples, seed=seed
        )
        told[name] = {
            "family": calibrator.family,
            **_as_json(found[name][""]),
            "groups": {value: {"n": len(parts[value]), **_as_json(own)} for value, own in found[name].items() if value},
            "worst": worst
            and {"group": worst.group, "ece": worst.ece.as_json(), "by_chance": worst.by_chance.as_json()},
            "changes": [] if calibrator.by_group is None else _numbers(calibrator),
        }
    told["less"] = {
        value or "all": {
            measure: metric_difference(found[BY_GROUP][value][measure], found[PLAIN][value][measure]).as_json()
            for measure in _MEASURES
        }
        for value in parts
    }
    return told


def spoilt(rows: Sequence[Prediction], stratum: str, value: str, share: float) -> list[Prediction]:
    """Make a share of one group's right answers wrong, drawn by their ids: a model that is worse there without a word.

    Example:
        >>> row = Prediction(id="q", estimator="m", truth="B", answer="B", confidence=0.9, groups={"modality": "US"})
        >>> [each.correct for share in (0, 1) for each in spoilt([row], "modality", "US", share)]
        [True, False]
        >>> spoilt([row], "modality", "CT", 1)[0].correct
        True
    """
    return [
        each.model_copy(update={"truth": "A" if each.answer != "A" else "B"})
        if each.correct and each.groups[stratum] == value and tie_of([each.id], "spoilt") < share
        else each
        for each in rows
    ]


@dataclass(frozen=True, slots=True)
class Pool:
    """Answers that guards' questions are drawn from.

    Attributes:
        scores: Selection scores, -1 where a reply holds no verdict; shape [n].
        wrong: Whether each is wrong; shape [n].
        groups: The group of each; shape [n].
    """

    scores: Floats
    wrong: Bools
    groups: npt.NDArray[np.str_]

    @classmethod
    def of(cls, rows: Sequence[Prediction], calibrator: CalibratorArtifact | None, stratum: str) -> Pool:
        """Take answers of known truth, their confidences corrected."""
        answers = checked_answers(rows, calibrator)
        return cls(
            np.array(
                [
                    -1.0 if each.confidence is None else selection_score(each.confidence, tie_of([each.id]))
                    for each in answers
                ]
            ),
            np.array([not each.correct for each in answers], dtype=np.bool_),
            np.array([each.groups[stratum] for each in answers]),
        )


def promises_by_group(
    pool: Pool, *, rows: int, draws: int = 500, risks: Sequence[float] = RISKS, delta: float = DELTA, seed: int = 0
) -> dict[str, Any]:
    """Prove thresholds on draws of a pool, for all together and for every group, and judge them on the whole pool.

    Args:
        pool: The answers.
        rows: Answers of a draw, with replacement.
        draws: How often to draw.
        risks: Promised shares of wrong answers.
        delta: Probability with which a guard's promise may fail; of the guard by group, in any group.
        seed: Of the draws.

    Returns:
        Guard -> risk -> over the draws, the share that breaks the promise over all answers and the share that breaks it
        in any group, each with its number of draws; and for all and for each group n, the mean share answered, the mean
        share of wrong answers among these (null where nothing is answered) and the share of draws that breaks it.
    """
    random = np.random.default_rng(seed)
    values = sorted(set(pool.groups.tolist()))
    members = [pool.groups == value for value in values]
    parts = [np.ones(len(pool.scores), dtype=np.bool_), *members]
    # Guard, risk, draw, part -> share answered and share of wrong answers among these.
    seen = np.full((2, len(risks), draws, len(parts), 2), np.nan)
    for draw in range(draws):
        drawn = random.integers(0, len(pool.scores), rows)
        together = _rule(pool, drawn, delta)
        each_own = [_rule(pool, drawn[own[drawn]], delta / len(values)) for own in members]
        for place, risk in enumerate(risks):
            given = [pool.scores >= _threshold(together, risk), np.zeros(len(pool.scores), dtype=np.bool_)]
            for own, rule in zip(members, each_own, strict=True):
                given[1] |= own & (pool.scores >= _threshold(rule, risk))
            for guard, answered in enumerate(given):
                for part, own in enumerate(parts):
                    seen[guard, place, draw, part] = _shares(answered & own, own, pool.wrong)
    return {
        name: {str(risk): _summary(seen[guard, place], risk, values, parts) for place, risk in enumerate(risks)}
        for guard, name in enumerate((PLAIN, BY_GROUP))
    }


def _rule(pool: Pool, places: npt.NDArray[np.intp], delta: float) -> RiskRule | None:
    """Test thresholds on some answers as `fit_guard` does, ties told apart."""
    valid = places[pool.scores[places] >= 0]
    if not len(valid):
        return None
    return RiskRule(pool.scores[valid], pool.wrong[valid], start_counts(len(valid)), delta)


def _threshold(rule: RiskRule | None, risk: float) -> float:
    limit = None if rule is None else rule.at(risk)
    return float("inf") if limit is None else limit.score


def _shares(answered: Bools, own: Bools, wrong: Bools) -> tuple[float, float]:
    count = int(answered.sum())
    return count / int(own.sum()), float(wrong[answered].mean()) if count else float("nan")


def _summary(seen: Floats, risk: float, values: Sequence[str], parts: Sequence[Bools]) -> dict[str, Any]:
    broken = seen[:, :, 1] > risk  # of nothing answered nothing is wrong
    wrong = [own[~np.isnan(own)] for own in seen[:, :, 1].T]
    return {
        "draws": len(seen),
        "broken": float(broken[:, 0].mean()),
        "broken_in_any_group": float(broken[:, 1:].any(axis=1).mean()),
        "groups": {
            name: {
                "n": int(own.sum()),
                "answered": float(seen[:, place, 0].mean()),
                "wrong": float(wrong[place].mean()) if len(wrong[place]) else None,
                "broken": float(broken[:, place].mean()),
            }
            for place, (name, own) in enumerate(zip(("all", *values), parts, strict=True))
        },
    }


def _as_json(own: Mapping[str, Sampled]) -> dict[str, Any]:
    return {measure: each.interval.as_json() for measure, each in own.items()}


def _numbers(calibrator: CalibratorArtifact) -> list[dict[str, Any]]:
    assert calibrator.by_group is not None
    return [
        {"spread": stratum.spread, "numbers": {value: each.offset for value, each in stratum.groups.items()}}
        for stratum in calibrator.by_group.strata
    ]


def main(
    fitting: Annotated[Path, typer.Option(help="Run that calibrators are fitted on.")],
    guard: Annotated[Path, typer.Option(help="Run that thresholds are proved on.")],
    test: Annotated[Path, typer.Option(help="Run that is reported.")],
    strata: Annotated[str, typer.Option(help="What groups are told by, each by itself.")] = "modality,family",
    draws: Annotated[int, typer.Option(min=2, help="Draws of checked answers.")] = 500,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples, by picture.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of folds, bootstrap and draws.")] = 0,
    spoil: Annotated[
        tuple[str, str, float] | None,
        typer.Option(help="Make answers of one group wrong: stratum, value, share of those that are right."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Where the figures go, beside others' there.")] = ROOT
    / "benchmarks"
    / "calibration"
    / "results-by-group.json",
) -> None:
    """Fit, prove and measure, for all together and by group."""
    runs = {
        name: [each for each in read_predictions(path) if each.failure is None and each.is_labelled]
        for name, path in (("fitting", fitting), ("guard", guard), ("test", test))
    }
    method = runs["test"][0].estimator
    name = f"{method}, fitted on {len(runs['fitting'])}"
    if spoil is not None:
        runs = {part: spoilt(rows, *spoil) for part, rows in runs.items()}
        name += f", {spoil[2]:.0%} of {spoil[1]} spoilt"
    told: dict[str, Any] = {
        "n": {name: len(rows) for name, rows in runs.items()},
        "draws": draws,
        "delta": DELTA,
        "seed": seed,
    }
    family = choose_family(runs["fitting"], dataset="fitting", resamples=2, seed=seed).chosen
    console = Console(width=200)
    for stratum in strata.split(","):
        fitted = calibrators(runs["fitting"], stratum, family, seed=seed)
        errors = errors_by_group(runs["test"], fitted, stratum, resamples=resamples, seed=seed)
        pool = Pool.of([*runs["guard"], *runs["test"]], fitted[PLAIN], stratum)
        kept = promises_by_group(pool, rows=len(runs["guard"]), draws=draws, seed=seed)
        told[stratum] = {"calibrators": errors, "guards": kept}
        console.print(_errors(f"{name}, {stratum}", errors), _promises(f"{name}, {stratum}", kept))
    write_figures(output, {**_read(output), name: told})


def _read(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    return found


def _errors(title: str, errors: Mapping[str, Any]) -> Table:
    table = Table(title=f"ECE: {title}", box=None, padding=(0, 2, 0, 0))
    for head in ("calibrator", "all", "worst group", "by chance", *errors[PLAIN]["groups"]):
        table.add_column(head)
    for name in (PLAIN, BY_GROUP):
        own = errors[name]
        worst = own["worst"]
        shown = ("-", "-") if worst is None else (interval(worst["ece"]), interval(worst["by_chance"]))
        table.add_row(name, interval(own["ece"]), *shown, *(interval(each["ece"]) for each in own["groups"].values()))
    return table


def _promises(title: str, kept: Mapping[str, Any]) -> Table:
    names = list(next(iter(kept[PLAIN].values()))["groups"])
    table = Table(title=f"Promises: {title}; answered, broken", box=None, padding=(0, 2, 0, 0))
    for head in ("guard", "risk", "broken", "in any group", *names):
        table.add_column(head)
    for guard, by_risk in kept.items():
        for risk, own in by_risk.items():
            cells = [f"{each['answered']:.3f}, {each['broken']:.3f}" for each in own["groups"].values()]
            table.add_row(guard, risk, f"{own['broken']:.3f}", f"{own['broken_in_any_group']:.3f}", *cells)
    return table


if __name__ == "__main__":
    typer.run(main)
