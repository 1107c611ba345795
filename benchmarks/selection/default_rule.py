"""The answers that the default accepted risk costs, by shipped guards: python -m benchmarks.selection.default_rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from prompt4trust.metrics.proportions import exact_interval
from prompt4trust.selection import GuardArtifact, level_of
from services.gateway.settings import GatewaySettings

GUARDS = Path(__file__).parents[2] / "models" / "guards"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and its outcome on a guard's checked questions.

    Attributes:
        name: The rule.
        asked: Questions.
        given: Answers that it gives.
        wrong: Wrong ones among them.
        proved: Whether the share of wrong ones is bounded with a proof.
    """

    name: str
    asked: int
    given: int
    wrong: int
    proved: bool


def rules_of(guard: GuardArtifact, threshold: float, risks: Sequence[float], delta: float) -> list[Rule]:
    """Compare a bare threshold with accepted risks on the questions that a guard was tested on.

    Args:
        guard: The guard, of calibrated confidence.
        threshold: Least calibrated confidence of the bare threshold.
        risks: Accepted shares of wrong answers.
        delta: Probability with which a promise may fail.
    """
    confident = np.array([level_of(score) for score in guard.risk.scores]) >= threshold
    wrong = int(np.asarray(guard.risk.wrong)[confident].sum())
    found = [Rule(f"threshold {threshold:g}", guard.rows, int(confident.sum()), wrong, proved=False)]
    tested = guard.risk_rule(delta)
    for risk in risks:
        limit = tested.at(risk)
        given, errors = (0, 0) if limit is None else (limit.accepted, limit.errors)
        found.append(Rule(f"max_risk {risk:g}", guard.rows, given, errors, proved=True))
    return found


def main() -> None:
    """Print a table for each shipped guard."""
    defaults = GatewaySettings.model_fields
    delta = float(defaults["risk_delta"].default)
    console = Console()
    for path in sorted(GUARDS.glob("*.json")):
        guard = GuardArtifact.load(path)
        table = Table(
            "rule", "answered", "95 %", "wrong of answered", "95 %", title=f"{guard.key.estimator}, {guard.rows}"
        )
        for rule in rules_of(guard, float(defaults["confidence_threshold"].default), (0.02, 0.05, 0.1, 0.2), delta):
            cells = [_share(rule.given, rule.asked), _share(rule.wrong, rule.given)]
            table.add_row(rule.name, *(text for pair in cells for text in pair))
        console.print(table)


def _share(count: int, of: int) -> tuple[str, str]:
    if of == 0:
        return "-", "-"
    low, high = exact_interval(count, of)
    return f"{count / of:.1%} ({count})", f"{low:.1%} to {high:.1%}"


if __name__ == "__main__":
    typer.run(main)
