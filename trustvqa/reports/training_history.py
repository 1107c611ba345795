"""The course of a training run, as its folder holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prompt4trust.evaluation.comparison import LOWER
from prompt4trust.evaluation.figures import Estimate

Outcomes = Sequence[Mapping[str, Any]]
"""Answers to the validation questions at one step: see `TrainingHistory.outcomes`."""


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """Steps, evaluations and answers of a training run.

    Attributes:
        name: The version that it trained.
        facts: Its configuration, for readers.
        objective: Metric by which the best checkpoint is chosen; None where none is chosen and the last one stands, as
            of a tuning.
        steps: Figures of each step's batch, with "step", in order.
        evaluations: Figures on the validation questions, in order of "step": "n", and "metrics" by name, each with
            "value", "low" and "high".
        outcomes: Step -> one entry a validation question, with "question_id", "question", "guidance", "reply",
            "truth", "answer", "confidence", "reward"; may lack steps.
    """

    name: str
    facts: Mapping[str, str]
    objective: str | None
    steps: Sequence[Mapping[str, Any]]
    evaluations: Sequence[Mapping[str, Any]]
    outcomes: Mapping[int, Outcomes] = field(default_factory=dict)

    @property
    def best(self) -> int | None:
        """Step of the best evaluation after the start, of equals the earliest; None where there is none.

        Where none is chosen it is the last evaluation's.
        """
        if self.objective is None:
            return max((each["step"] for each in self.evaluations if each["step"] > 0), default=None)
        sign = -1 if self.objective in LOWER else 1
        found = [
            (sign * value, -each["step"])
            for each in self.evaluations
            if each["step"] > 0 and (value := estimate(each, self.objective).value) is not None
        ]
        return -max(found)[1] if found else None

    def evaluation(self, step: int) -> Mapping[str, Any] | None:
        """Find the evaluation after a step."""
        return next((each for each in self.evaluations if each["step"] == step), None)


def estimate(evaluation: Mapping[str, Any], metric: str) -> Estimate:
    """Read a figure of an evaluation, undefined where it lacks it."""
    found = evaluation["metrics"].get(metric) or {}
    return Estimate(**{name: found.get(name) for name in ("value", "low", "high")})
