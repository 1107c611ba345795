"""A curriculum by difficulty: the section `training.curriculum` of a configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Strict

from services.trainer.section import Int, Section

MOST_REPLIES = 16


class CurriculumConfig(Section):
    """The order in which questions come into play, by how hard the downstream model found them before training.

    Difficulty is in 0 to 1: the mean over a question's replies, given without guidance. At first `start_share` of the
    questions is in play, the share grows evenly, and from step `steps` on all are. Where a run is too short to see
    every question, it sees those that it would see without a curriculum, in another order.

    Attributes:
        by: confidence_error: (stated confidence - right)^2, the reply's Brier score; error: 1 for a wrong reply, else
            0. An invalid reply counts as 1.
        first: Which questions are in play at first.
        start_share: Share of them that is, in (0, 1).
        steps: Step from which all are; at most update.max_steps - update.num_iterations.
        replies: Replies that a question's difficulty is the mean of; more than 1 needs answer.temperature above 0.

    Example:
        >>> curriculum = CurriculumConfig(start_share=0.5, steps=100)
        >>> [curriculum.share(step) for step in (0, 50, 200)]
        [0.5, 0.75, 1.0]
    """

    by: Literal["confidence_error", "error"] = "confidence_error"
    first: Literal["easy", "hard"] = "easy"
    start_share: Annotated[float, Strict()] = Field(default=0.25, gt=0, lt=1)
    steps: Int = Field(ge=1, le=10_000_000)
    replies: Int = Field(default=1, ge=1, le=MOST_REPLIES)

    def share(self, step: int) -> float:
        """Compute the share of the questions that is in play.

        Args:
            step: Steps that are done, at least 0.

        Returns:
            From start_share at step 0 to 1 at step `steps` and later, linear between the two.
        """
        return self.start_share + (1 - self.start_share) * min(1.0, step / self.steps)


def check_replies(curriculum: CurriculumConfig | None, temperature: float) -> None:
    """Make sure that several replies can differ.

    Raises:
        ValueError: If they cannot.
    """
    if curriculum is not None and curriculum.replies > 1 and temperature == 0:
        raise ValueError("curriculum.replies above 1 needs answer.temperature above 0: greedy replies are all the same")


def describe_curriculum(curriculum: Any) -> str:
    """Describe the curriculum of a stored configuration in a few words, for a card; "" where it has none.

    Example:
        >>> describe_curriculum({"by": "error", "first": "easy", "start_share": 0.2, "steps": 100, "replies": 1})
        'easy questions first by error before training, from a share of 0.2 to all at step 100'
    """
    if not curriculum:
        return ""
    return (
        f"{curriculum['first']} questions first by {curriculum['by'].replace('_', ' ')} before training, from a share "
        f"of {curriculum['start_share']} to all at step {curriculum['steps']}"
    )
