"""Callbacks of GRPOTrainer: records, sealed and evaluated checkpoints, stopping in good order."""

# ruff: noqa: ARG002 - the signatures are the library's
from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from services.trainer.grpo.checkpoints.seals import seal
from services.trainer.grpo.journal import Journal, RunObserver, summarize_outcomes
from services.trainer.grpo.learning.reward_function import Clock
from services.trainer.grpo.scoring import GuidedOutcome

# TRL's name -> ours; what is not named here stays out of the record.
_TAKEN = {
    "loss": "loss",
    "reward": "reward",
    "reward_std": "reward_sd",
    "frac_reward_zero_std": "groups_without_signal",
    "kl": "kl",
    "entropy": "entropy",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "clip_ratio/region_mean": "clipped",
    "completions/mean_length": "guidance_tokens",
    "completions/clipped_ratio": "guidance_cut_off",
}


class Recorder(TrainerCallback):
    """Writes a line a step. The process of rank 0 writes, of the batches that it scored itself.

    Args:
        journal: The run's files.
        observer: Listener to each step.
        difficulty: Question id -> difficulty before training, where a curriculum has it: the batch's mean is recorded.
        clock: Seconds, monotonic; the reward function's too.
    """

    def __init__(
        self,
        journal: Journal,
        observer: RunObserver,
        difficulty: Mapping[str, float | None] = MappingProxyType({}),
        *,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._journal = journal
        self._observer = observer
        self._difficulty = difficulty
        self._clock = clock
        self._outcomes: Sequence[GuidedOutcome] = ()
        self._scoring: tuple[float, float] | None = None
        self._began = clock()
        self._masked_before = 0
        self._tokens = 0.0

    def scored(self, outcomes: Sequence[GuidedOutcome], began: float, ended: float) -> None:
        """Take note of a batch that was scored; the reward function calls this."""
        self._outcomes, self._scoring = outcomes, (began, ended)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Take up the count of masked samples where the run left it."""
        self._masked_before = sum(int(entry.get("masked") or 0) for entry in state.log_history)
        return control

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Start the step's clock."""
        self._began, self._scoring = self._clock(), None
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> TrainerControl:
        """Write the step's line."""
        if not logs or "loss" not in logs:
            return control  # the summary of the whole run
        now = self._clock()
        record: dict[str, Any] = {"step": state.global_step}
        record |= {ours: logs[theirs] for theirs, ours in _TAKEN.items() if theirs in logs}
        record["step_s"] = now - self._began
        if self._scoring is None:
            record["update_s"] = record["step_s"]  # a further pass over a batch that was scored before
        else:
            began, ended = self._scoring
            record |= summarize_outcomes(self._outcomes, ended - began)
            difficulties = [self._difficulty.get(each.question.id) for each in self._outcomes]
            if known := [value for value in difficulties if value is not None]:
                record["difficulty"] = sum(known) / len(known)
            # Generating includes the reference's pass over what was generated.
            record |= {"generate_s": began - self._began, "reward_s": ended - began, "update_s": now - ended}
            written = float(logs.get("completions/mean_length") or 0) * len(self._outcomes)
            record["tokens_per_s"] = written / max(record["generate_s"], 1e-9)
            self._masked_before += int(record["masked"])
            # The state is saved with the checkpoint: a resumed run goes on counting.
            if state.log_history:
                state.log_history[-1]["masked"] = record["masked"]
        record["masked_total"] = self._masked_before
        if state.is_world_process_zero:
            if self._scoring is not None:
                self._journal.samples(state.global_step, self._outcomes)
            self._journal.step(record)
            self._journal.progress(state="running", step=state.global_step, steps=state.max_steps)
            self._observer.step(record, state.max_steps)
        return control


class CheckpointKeeper(TrainerCallback):
    """Seals each checkpoint, then has it evaluated.

    Args:
        folder: The folder that the trainer saves in.
        evaluate: Called with each sealed checkpoint, on the process of rank 0.
        stopping: True once the run is being stopped: then there is no time to evaluate.
    """

    def __init__(self, folder: Path, evaluate: Callable[[Path], None], stopping: Callable[[], bool]) -> None:
        self._folder = folder
        self._evaluate = evaluate
        self._stopping = stopping

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Seal and evaluate the checkpoint that was just saved."""
        PartialState().wait_for_everyone()  # each process saves its own random state
        if state.is_world_process_zero:
            checkpoint = self._folder / f"checkpoint-{state.global_step}"
            seal(checkpoint)
            if not self._stopping():
                self._evaluate(checkpoint)
        return control


class Stopper(TrainerCallback):
    """Ends training after the current step, with a checkpoint, once it was asked to.

    Args:
        asked: True once it was.
        every: Steps between which a batch is used up: only there can a run be resumed.
    """

    def __init__(self, asked: Callable[[], bool], every: int) -> None:
        self._asked = asked
        self._every = every

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Save and stop where that was asked for."""
        # Signals reach several processes at different moments: all stop at the step at which the first one knows.
        if state.global_step % self._every == 0 and any(gather_object([self._asked()])):
            control.should_save = True
            control.should_training_stop = True
        return control
