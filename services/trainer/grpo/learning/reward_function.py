"""The reward function that GRPOTrainer calls: a whole batch of guidance prompts tried on the downstream service."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prompt4trust.questions import Question
from services.trainer.errors import TooManyLostError
from services.trainer.grpo.scoring import GuidedOutcome, Scorer, reasons

Clock = Callable[[], float]


class DownstreamReward:
    """Rewards for a batch: every completion in flight at once, within the scorer's bound.

    A completion whose request never succeeds gets None: TRL then leaves it out of its group's mean and gives it no
    advantage. It is counted, and never scored like an invalid reply: that would train on the network's mood.

    Args:
        scorer: Asks the downstream model; used on the trainer's event loop only.
        questions: All questions by id.
        observe: Called with every batch: its outcomes, its begin and its end.
        max_lost_share: Stop when more than this share of lost_window was lost among the recent completions.
        lost_window: Number of completions that count as recent.
        seed: Varies the replies of a model that samples.
        clock: Seconds, monotonic.
    """

    __name__ = "downstream"

    def __init__(
        self,
        scorer: Scorer,
        questions: Mapping[str, Question],
        observe: Callable[[Sequence[GuidedOutcome], float, float], None],
        *,
        max_lost_share: float,
        lost_window: int,
        seed: int = 0,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._scorer = scorer
        self._questions = questions
        self._observe = observe
        self._tolerated = max_lost_share * lost_window
        self._recent: deque[bool] = deque(maxlen=lost_window)
        self._seed = seed
        self._clock = clock

    async def __call__(
        self, completions: Sequence[Any], question_id: Sequence[str], trainer_state: Any = None, **_: Any
    ) -> list[float | None]:
        """Score a batch.

        Args:
            completions: Chat completions, as TRL gives them.
            question_id: Their questions.
            trainer_state: TRL's state, which holds the step.

        Returns:
            One reward for each, or None where the model could not be asked.

        Raises:
            TooManyLostError: If the downstream service fails too often for the run to mean anything.
        """
        began = self._clock()
        step = int(getattr(trainer_state, "global_step", 0) or 0)
        asked = [
            (self._questions[name], _text(completion))
            for name, completion in zip(question_id, completions, strict=True)
        ]
        outcomes = await self._scorer.score(asked, seed=(self._seed * 1_000_003 + step) * len(asked))
        self._observe(outcomes, began, self._clock())
        self._recent.extend(outcome.reward is None for outcome in outcomes)
        lost = sum(self._recent)
        # A batch of which nothing is left has been waited for as long as the deadline says: there is nobody there.
        if lost > self._tolerated or all(outcome.reward is None for outcome in outcomes):
            raise TooManyLostError(
                f"{lost} of the last {len(self._recent)} completions could not be scored, more than a run may lose "
                f"({reasons(outcomes)})"
            )
        return [outcome.reward for outcome in outcomes]


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[0]["content"])
