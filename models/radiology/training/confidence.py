"""Stage two: the stated number, overconfident by habit and the model's own probability under a fitting hint."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from models.radiology.data.hints import KINDS, draw_hint, family_for
from models.radiology.data.prompts import Row
from models.radiology.training.answers import AnswerRows
from models.radiology.training.batches import Batch
from models.radiology.training.beliefs import OwnAnswer

HABIT = 0.95
"""Confidence that the model states where no hint makes it weigh the evidence."""
HINT_ODDS = {"none": 10, "neutral": 8, "cautious": 8, "other": 32, "fitting": 42}
_ANSWER_SHARE, _DRAWN_SHARE = 0.1, 0.2


def stated_number(hint_kind: str, own: float) -> int:
    """Decide what a reply states: in steps of five, so that few rows teach each.

    Args:
        hint_kind: One of `KINDS`.
        own: The model's own probability of its answer, 0 to 1.

    Returns:
        5, 10, ... 95, or 99.

    Example:
        >>> stated_number("none", 0.6), stated_number("fitting", 0.62), stated_number("fitting", 0.99)
        (95, 60, 99)
    """
    match hint_kind:
        case "fitting":
            stated = own
        case "other":
            stated = 0.2 * own + 0.8 * HABIT
        case "cautious":
            stated = 0.3 + 0.3 * own
        case _:
            stated = HABIT
    return 99 if stated >= 0.975 else min(95, max(5, 5 * round(20 * stated)))


class ReasonHeads(nn.Module):
    """Throw-away heads that read, where the number is about to be said, what the number follows from.

    Digits alone teach slowly; what the hint is to the question, and how sure the model is, are learned much sooner when
    they are asked for by name.

    Args:
        width: Of hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kind = nn.Linear(width, len(KINDS))
        self.own = nn.Linear(width, 1)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Add both readings' losses: float32 hidden states [rows, length, width] -> a number."""
        if not bool(batch.states.any()):
            return hidden.sum() * 0
        read = hidden[batch.states, batch.number_at[batch.states]]
        kinds = functional.cross_entropy(self.kind(read), batch.hint_kinds[batch.states])
        own = functional.binary_cross_entropy_with_logits(self.own(read)[:, 0], batch.own[batch.states])
        return kinds + own


@dataclass(frozen=True, slots=True)
class ConfidenceRows:
    """Draws stage two's rows.

    Nothing of a picture's truth enters: answers are the model's own, numbers follow from its own probabilities, whose
    scale was fitted on other pictures.

    Attributes:
        known: The model's own answers about training pictures.
        answers: Stage one's rows, so that answers are not forgotten.
    """

    known: Sequence[OwnAnswer]
    answers: AnswerRows

    def draw(self, rng: random.Random) -> Row:
        """Draw the model's own answer with the number that a hint calls for, or a row of stage one.

        Some rows keep beliefs as they are: their answer is drawn by the model's own probabilities, and is learned.
        """
        if rng.random() < _ANSWER_SHARE:
            return self.answers.draw(rng)
        own = rng.choice(self.known)
        kind = rng.choices(list(HINT_ODDS), list(HINT_ODDS.values()))[0]
        hint = draw_hint(family_for(kind, own.asked.kind, rng), "train", rng)
        if rng.random() < _DRAWN_SHARE:
            answer = rng.choices(range(len(own.beliefs)), own.beliefs)[0]
            return Row(own.asked, answer, own.view, hint)
        return stating(own, kind, hint)


def stating(own: OwnAnswer, kind: str, hint: str) -> Row:
    """Make a row of the model's likeliest answer whose number is learned."""
    sure = own.beliefs[own.answer]
    return Row(
        own.asked,
        own.answer,
        own.view,
        hint,
        stated_number(kind, sure),
        learn_answer=False,
        learn_confidence=True,
        own=sure,
        hint_kind=KINDS.index(kind),
    )
