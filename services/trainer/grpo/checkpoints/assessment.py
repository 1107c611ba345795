"""Assessment of checkpoints on the validation split; the best policy so far is kept in the run's folder."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from prompt4trust.questions import Question
from services.trainer.grpo.checkpoints.policy_files import export
from services.trainer.grpo.checkpoints.ranking import best_of, is_better
from services.trainer.grpo.checkpoints.seals import step_of
from services.trainer.grpo.checkpoints.selection import judge, keep_best, try_policy, write_outcomes
from services.trainer.grpo.context import RunContext
from services.trainer.grpo.scoring import GuidedOutcome


@dataclass(frozen=True, slots=True)
class Assessor:
    """Evaluates a run's start and its checkpoints.

    Attributes:
        run: The run.
        questions: The validation questions.
    """

    run: RunContext
    questions: tuple[Question, ...]

    def assess_start(self, directory: Path) -> None:
        """Evaluate the policy that the run begins with, once.

        Args:
            directory: The policy, in Hugging Face layout.
        """
        if 0 not in self.run.journal.evaluations():
            self._assess(directory, 0)

    def assess(self, checkpoint: Path) -> None:
        """Evaluate a checkpoint, and keep it if it is the best so far.

        Args:
            checkpoint: Its directory, sealed.
        """
        step = step_of(checkpoint)
        exported = self.run.folder / f".export-{step}"
        shutil.rmtree(exported, ignore_errors=True)
        export(checkpoint, self.run.start.template, exported)
        try:
            self._assess(exported, step)
        finally:
            shutil.rmtree(exported, ignore_errors=True)

    def _assess(self, directory: Path, step: int) -> None:
        run, config = self.run, self.run.config
        outcomes = asyncio.run(self._try(directory))
        resamples, lost = config.selection.resamples, config.answer.max_lost_share
        record = {"step": step, **judge(outcomes, max_lost_share=lost, resamples=resamples, seed=config.seed)}
        write_outcomes(run.folder / "validation" / f"step-{step}.jsonl", outcomes)
        objective = config.selection.objective
        best = best_of(run.journal.evaluations(), objective)
        if step > 0 and (best is None or best["step"] == step or is_better(record, best, objective)):
            keep_best(directory, run.folder)
        run.journal.evaluation(record)
        value, accuracy, ece = (record["metrics"][name]["value"] for name in (objective, "accuracy", "ece"))
        run.observer.note(f"step {step}, validation: {objective} {value}, accuracy {accuracy}, ECE {ece}")

    async def _try(self, directory: Path) -> list[GuidedOutcome]:
        http, scorer = self.run.open_scorer()
        async with http:
            return await try_policy(
                directory,
                self.run.start.template,
                self.questions,
                scorer,
                max_tokens=self.run.config.rollout.max_completion_length,
                device=self.run.config.device,
            )
