"""Resuming a training run, from the request to the step that it goes on with.

1. The request. `trustvqa train --resume FOLDER` executes the folder itself (`supervision/foreground.py` keeps the
   record). `POST /v1/runs/{id}/resume` has `supervision/planning.py` check that the run can still begin
   (`prepare_resume`), `states.py` make it queued again (`resume`), and the supervisor start it in its turn.
2. Both call `run.execute`, as for a run that begins. The folder's config.json alone says what the run is.
3. `find_resume_point` below finds the latest checkpoint that is whole, and makes the files agree with it.
4. `learning/trl_trainer.py` hands it to TRL, which restores weights, optimizer, schedule and random numbers. The order
   of the questions is drawn before a run begins, and checkpoints lie between two batches: TRL skips the questions that
   were used, and the next batch is that of a run that nothing interrupted.
5. Evaluations are not repeated: those of `evaluations.jsonl` count. A run at its last step is only published.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from services.trainer.grpo.checkpoints.seals import latest, step_of
from services.trainer.grpo.context import RunContext, is_main_process


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """The checkpoint that a run goes on from.

    Attributes:
        checkpoint: The checkpoint, or None for a run that begins anew.
        step: Its step, or None.
    """

    checkpoint: Path | None
    step: int | None


def find_resume_point(run: RunContext) -> ResumePoint:
    """Find the latest whole checkpoint; later ones are removed, and the run's files forget what came after it.

    Args:
        run: The run; its observer is told which checkpoints are removed, and the step that it goes on from.
    """
    checkpoint, passed_over = latest(run.checkpoints)
    for useless, fault in passed_over:
        run.observer.note(f"{useless.name} is removed: {fault}")
        # It would count as one of those to keep, and push a whole one out.
        if is_main_process():
            shutil.rmtree(useless, ignore_errors=True)
    step = None if checkpoint is None else step_of(checkpoint)
    if step is not None:
        run.observer.note(f"going on from step {step}")
    if is_main_process():
        run.journal.rewind(step or 0)
    return ResumePoint(checkpoint, step)
