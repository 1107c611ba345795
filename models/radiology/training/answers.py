"""Stage one: answers about pictures, finding first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from models.radiology.data.features import Views
from models.radiology.data.prompts import Row
from models.radiology.data.questions import Asked

# What the picture answers is asked more often than it occurs: there are few such questions, and they are learned.
_ODDS = {"modality": 2.0, "plane": 2.0, "organ": 2.0, "sequence": 1.5, "image, yes or no": 1.5}
_CLEAN = 0.25


@dataclass(frozen=True, slots=True)
class AnswerRows:
    """Draws rows of questions about training pictures.

    Attributes:
        asked: The questions.
        views: Their pictures.
    """

    asked: Sequence[Asked]
    views: Views

    def draw(self, rng: random.Random) -> Row:
        """Draw a question, its options in any order, with a clean or an augmented view."""
        chosen = rng.choices(self.asked, self._odds())[0].reordered(rng)
        place = self.views.clean[chosen.picture]
        if (others := self.views.augmented[chosen.picture]) and rng.random() >= _CLEAN:
            place = rng.choice(others)
        return Row(chosen, chosen.gold, place)

    def held(self, asked: Sequence[Asked]) -> list[Row]:
        """Rows of held-out questions as they are, with clean views."""
        return [Row(each, each.gold, self.views.clean[each.picture]) for each in asked]

    def _odds(self) -> list[float]:
        return [_ODDS.get(each.kind, 1.0) for each in self.asked]
