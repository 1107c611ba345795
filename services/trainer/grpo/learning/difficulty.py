"""Difficulty of a run's questions: what the downstream model makes of each without guidance, before training.

It is measured once and kept in the run's folder (`difficulty.json`): the order that it gives is then that of a resumed
run, whatever the model would reply today.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prompt4trust.files import write_atomically
from prompt4trust.questions import Question
from services.trainer.errors import RunError, TooManyLostError
from services.trainer.grpo.config.curriculum_config import CurriculumConfig
from services.trainer.grpo.context import RunContext, is_main_process
from services.trainer.grpo.scoring import GuidedOutcome, reasons
from services.trainer.run_files.json_lines import read_object
from services.trainer.run_files.progress import DIFFICULTY

_AT_ONCE = 512
"""Most questions whose pictures are in memory at once; of fewer that could not be measured nobody concludes that the
share of such ones is too large, unless there are no more."""
_ROUNDS = 4
"""Requests of a part for each that may be in flight: after a part what is known is written down, and a stop is seen."""


def measure_difficulty(
    run: RunContext, curriculum: CurriculumConfig, questions: Sequence[Question], *, begun: bool
) -> dict[str, float | None] | None:
    """Measure questions' difficulties, or read those that an earlier attempt measured.

    Args:
        run: The run; its observer is told how it went.
        curriculum: What is measured.
        questions: The questions.
        begun: Whether the run has a checkpoint: then nothing is measured any more.

    Returns:
        Question id -> difficulty in 0 to 1, None where the model could not be asked; None instead of all where the run
        was stopped before the end: what was measured stays. Only the process of rank 0 measures: another finds what
        that one has written, or None.

    Raises:
        RunError: If the run has begun and its difficulties cannot be read: it would go on in another order.
        TooManyLostError: If too many questions could not be asked for the order to mean anything.
    """
    path = run.folder / DIFFICULTY
    found = _read(path, curriculum)
    if is_main_process() and not begun:
        found = {name: value for name, value in found.items() if value is not None}  # lost then, perhaps not now
    missing = [question for question in questions if question.id not in found]
    if missing and begun:
        raise RunError(
            f"{path} lacks the difficulty of {len(missing)} question(s): it is missing, damaged, or the questions have "
            "changed. The run cannot go on in the order in which it began; begin a new one"
        )
    if missing and not is_main_process():
        return None
    lost: list[GuidedOutcome] = []
    size = part_size(run.config.answer.max_in_flight, curriculum.replies)
    for start in range(0, len(missing), size):
        if run.stop.is_set():
            return None
        part = missing[start : start + size]
        outcomes = asyncio.run(_ask(run, part, curriculum.replies, start))
        for place, question in enumerate(part):
            own = outcomes[place * curriculum.replies : (place + 1) * curriculum.replies]
            found[question.id] = difficulty_of(own, curriculum.by)
        lost += [outcome for outcome in outcomes if outcome.lost is not None]
        done = start + len(part)
        unknown = sum(found[question.id] is None for question in missing[:done])
        # A part may be a single question: the share is one of a large number of them, or of all.
        if unknown > run.config.answer.max_lost_share * max(done, min(_AT_ONCE, len(missing))):
            raise TooManyLostError(
                f"the difficulty of {unknown} of {done} questions could not be measured ({reasons(lost)})"
            )
        _write(path, curriculum, found)
    difficulty = {question.id: found[question.id] for question in questions}
    known = [value for value in difficulty.values() if value is not None]
    run.observer.note(
        f"difficulty of {len(known)} questions before training, {curriculum.by}: mean {sum(known) / len(known):.3f}"
        + (f"; {len(difficulty) - len(known)} could not be asked and come last" if len(known) < len(difficulty) else "")
    )
    return difficulty


def part_size(max_in_flight: int, replies: int) -> int:
    """Compute how many questions are asked between two looks at whether the run is to stop.

    Args:
        max_in_flight: Requests at once, at least 1.
        replies: Requests a question, at least 1.

    Returns:
        As many as make four requests for each that may be in flight; 1 to 512.

    Example:
        >>> part_size(64, 1), part_size(64, 16), part_size(1, 16), part_size(4096, 1)
        (256, 16, 1, 512)
    """
    return max(1, min(_AT_ONCE, _ROUNDS * max_in_flight // replies))


def difficulty_of(outcomes: Sequence[GuidedOutcome], by: str) -> float | None:
    """Compute a question's difficulty.

    Args:
        outcomes: Its replies' outcomes.
        by: "confidence_error" or "error", see CurriculumConfig.

    Returns:
        The mean over the replies, in 0 to 1; None where the model could not be asked at all.
    """
    values = [
        (outcome.confidence - outcome.correct) ** 2
        if by == "confidence_error" and outcome.valid
        else float(not outcome.correct)
        for outcome in outcomes
        if outcome.verdict is not None
    ]
    return sum(values) / len(values) if values else None


def describe_difficulty(folder: Path) -> dict[str, Any] | None:
    """Describe the difficulties that a run went by, for the record of what it publishes.

    Returns:
        {"n", "unmeasured", "mean", "sha256"}: numbers of questions, the mean over those that were measured and the
        file's hash; None for a run without a curriculum.
    """
    path = folder / DIFFICULTY
    if not path.is_file():
        return None
    stored = read_object(path).get("difficulty")
    values = list(stored.values()) if isinstance(stored, dict) else []
    known = [value for value in values if value is not None]
    return {
        "n": len(values),
        "unmeasured": len(values) - len(known),
        "mean": round(sum(known) / len(known), 6) if known else None,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


async def _ask(run: RunContext, questions: Sequence[Question], replies: int, start: int) -> list[GuidedOutcome]:
    http, scorer = run.open_scorer()
    async with http:
        asked = [(question, None) for question in questions for _ in range(replies)]
        return await scorer.score(asked, seed=(run.config.seed * 1_000_003 + start) * replies)


def _read(path: Path, curriculum: CurriculumConfig) -> dict[str, float | None]:
    stored = read_object(path)
    values = stored.get("difficulty")
    if stored.get("by") != curriculum.by or stored.get("replies") != curriculum.replies or not isinstance(values, dict):
        return {}
    return {name: value for name, value in values.items() if value is None or _is_share(value)}


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _write(path: Path, curriculum: CurriculumConfig, difficulty: dict[str, float | None]) -> None:
    record = {"by": curriculum.by, "replies": curriculum.replies, "difficulty": difficulty}
    write_atomically(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
