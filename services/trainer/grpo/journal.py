"""Files of a training run that people and programs read while it goes on.

`metrics.jsonl` holds one line a step, `samples.jsonl` guidance prompts with their outcome, `evaluations.jsonl` one line
an evaluated checkpoint, `tensorboard/` the numbers of the first once more, `progress.json` the step it is at.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from prompt4trust.files import write_atomically
from prompt4trust.metrics import brier_score, confident_error_share, expected_calibration_error
from prompt4trust.verdict import Invalid, Verdict
from services.trainer.grpo.scoring import GuidedOutcome
from services.trainer.run_files.json_lines import read_lines, to_line
from services.trainer.run_files.progress import EVALUATIONS, METRICS, PROGRESS, SAMPLES

TENSORBOARD = "tensorboard"


class RunObserver(Protocol):
    """Listener to a run, for a terminal or an event stream."""

    def step(self, record: Mapping[str, Any], steps: int) -> None:
        """Take note of a finished step; the record is that of metrics.jsonl."""
        ...

    def note(self, text: str) -> None:
        """Take note of a remark for a person."""
        ...


class SilentObserver:
    """An observer that does nothing."""

    def step(self, record: Mapping[str, Any], steps: int) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


class Journal:
    """Writes a run's files.

    Args:
        folder: The run's folder.
        samples_per_step: Guidance prompts to keep of each batch.
        now: The time of day.
    """

    def __init__(
        self, folder: Path, samples_per_step: int, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.folder = folder
        self._samples_per_step = samples_per_step
        self._now = now
        self._board: Any = None
        self._purge_from: int | None = None

    def rewind(self, step: int) -> None:
        """Forget what came after a step: a run that resumes there will write it again.

        TensorBoard's files cannot be shortened: the next one says from which step on the earlier ones do not count.
        """
        self._purge_from = step + 1 if (self.folder / TENSORBOARD).exists() else None
        for name in (METRICS, SAMPLES):
            path = self.folder / name
            if path.exists():
                kept = [json.dumps(record) for record in read_lines(path) if record["step"] <= step]
                write_atomically(path, "".join(line + "\n" for line in kept))

    def step(self, record: Mapping[str, Any]) -> None:
        """Add a step's metrics."""
        self._append(METRICS, record)
        board = self._tensorboard()
        for name, value in record.items():
            if board is not None and isinstance(value, int | float) and math.isfinite(value) and name != "step":
                board.add_scalar(name, value, record["step"])
        if board is not None:
            board.flush()

    def samples(self, step: int, outcomes: Sequence[GuidedOutcome]) -> None:
        """Keep a few guidance prompts of a batch: the best, the worst, and some between, evenly by rank."""
        scored = sorted((each for each in outcomes if each.reward is not None), key=lambda each: each.reward or 0.0)
        count = min(self._samples_per_step, len(scored))
        places = [0] if count == 1 else [round(rank * (len(scored) - 1) / (count - 1)) for rank in range(count)]
        for place in places if count else []:
            self._append(SAMPLES, {"step": step, **describe(scored[place])})

    def evaluation(self, record: Mapping[str, Any]) -> None:
        """Add an evaluated checkpoint."""
        self._append(EVALUATIONS, record)
        board = self._tensorboard()
        if board is not None:
            for name, value in record["metrics"].items():
                board.add_scalar(f"validation/{name}", value["value"], record["step"])
            board.flush()

    def evaluations(self) -> dict[int, dict[str, Any]]:
        """Read the evaluated checkpoints by step; where one was evaluated twice, the later evaluation counts."""
        return {record["step"]: record for record in read_lines(self.folder / EVALUATIONS)}

    def progress(self, **values: Any) -> None:
        """Write progress.json."""
        text = json.dumps({**values, "time": self._now().isoformat(timespec="seconds")}, indent=2)
        write_atomically(self.folder / PROGRESS, text + "\n")

    def close(self) -> None:
        """Close what is open."""
        if self._board is not None:
            self._board.close()
            self._board = None

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        stamped = {**record, "time": self._now().isoformat(timespec="seconds")}
        with (self.folder / name).open("a", encoding="utf-8") as stream:
            stream.write(to_line(stamped) + "\n")

    def _tensorboard(self) -> Any:
        if self._board is None:
            try:
                from tensorboardX import SummaryWriter
            except ImportError:
                return None  # the same numbers are in the JSON lines
            # Its name has whole seconds: a run that is cut off and resumed within one would write over its own file.
            started = f".{time.time_ns()}"
            self._board = SummaryWriter(
                str(self.folder / TENSORBOARD), flush_secs=30, purge_step=self._purge_from, filename_suffix=started
            )
        return self._board


def summarize_outcomes(outcomes: Sequence[GuidedOutcome], seconds: float) -> dict[str, float]:
    """Describe a batch: how right, how calibrated, how sure, and how the downstream service did.

    Args:
        outcomes: The batch; those that were lost enter only the count of masked samples.
        seconds: Wall-clock time of the batch.

    Returns:
        Numbers by name. Invalid replies count as wrong with confidence 0, except in the spread of confidences: that is
        over valid replies, and falls towards 0 where the model has come to state one number whatever it sees.
    """
    asked = [each for each in outcomes if each.reward is not None]
    numbers: dict[str, float] = {"masked": len(outcomes) - len(asked)}
    if not asked:
        return numbers
    confidence = np.array([each.confidence for each in asked])
    correct = np.array([each.correct for each in asked])
    stated = np.array([each.confidence for each in asked if each.valid])
    latency = np.array([each.seconds for each in asked])
    numbers |= {
        "accuracy": float(correct.mean()),
        "ece": expected_calibration_error(confidence, correct),
        "brier": brier_score(confidence, correct),
        "confident_errors": confident_error_share(confidence, correct),
        "valid_rate": len(stated) / len(asked),
        "latency_p50_s": float(np.quantile(latency, 0.5)),
        "latency_p95_s": float(np.quantile(latency, 0.95)),
        "downstream_tokens_per_s": sum(each.tokens for each in asked) / max(seconds, 1e-9),
    }
    if len(stated):
        numbers |= {
            "confidence_mean": float(stated.mean()),
            "confidence_sd": float(stated.std()),
            "confidence_p10": float(np.quantile(stated, 0.1)),
            "confidence_p90": float(np.quantile(stated, 0.9)),
        }
    return numbers


def describe(outcome: GuidedOutcome) -> dict[str, Any]:
    """Lay an outcome out for a person to read."""
    verdict = outcome.verdict
    return {
        "question_id": outcome.question.id,
        "question": outcome.question.text,
        "groups": dict(outcome.question.groups),
        "guidance": outcome.guidance,
        "reply": outcome.text,
        "truth": outcome.question.answer,
        "answer": verdict.answer if isinstance(verdict, Verdict) else None,
        "confidence": verdict.confidence if isinstance(verdict, Verdict) else None,
        "invalid": verdict.reason if isinstance(verdict, Invalid) else None,
        "lost": outcome.lost,
        "reward": outcome.reward,
    }
