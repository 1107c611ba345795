"""Relative confidence: the model is asked which it could answer more surely, this question or a stored one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Final

from prompt4trust.estimators._second_looks import SecondLook, SecondLooks
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Cost

STORED: Final = (
    "Is the picture in colour, or in shades of grey?",
    "Which imaging method was the picture made with?",
    "On which side of the body is the finding?",
    "What disease is the most likely cause of the finding?",
)
"""Questions that others are compared with, from what nearly every model can tell to what few can; about a picture of
which nothing is said."""
SIGNAL: Final = "relative_confidence"


class CgpRelative(SecondLooks):
    """`CgpLogprob`, and four questions in which the model compares this question with a stored one.

    Models say 95 of nearly everything, and tell more of themselves when asked which of two they know better (*Language
    Models Prefer What They Know*, Shrivastava et al. 2025). There all questions of a data set are compared with each
    other and ranked; here a single one is, with stored ones, in a bounded number of calls. Wordings are our own.

    The signal relative_confidence is the mean probability with which this question is preferred: with the strength
    t of this question and s of the stored ones, Bradley and Terry's likelihood is largest where the sum of sigmoid(t -
    s) is the sum of preferences. So t follows from that sum alone and rises with it, whatever the stored questions'
    strengths are: these need not be known, and a calibrator finds the scale. Every other time the stored question
    stands first, so that a liking for the first place counts for none.

    A reply without a verdict prefers neither. The signal is missing where the server reports no log-probabilities, or
    none for a letter; and for an open question. The picture is shown each time.

    Args and errors are those of `CgpLogprob`.
    """

    name = "cgp+relative"
    places: ClassVar[Mapping[str, str]] = {"A": "The first question", "B": "The second question"}

    async def _looks(
        self, question: str, options: Mapping[str, str], image_url: str | None, _: Answer
    ) -> Sequence[SecondLook]:
        return [
            SecondLook("cgp+logprob", partial(self._comparison, question, options, image_url, place))
            for place in range(len(STORED))
        ]

    def _joined(self, told: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Take the mean of all comparisons; of fewer there is no signal."""
        found = [signals[SIGNAL] for signals in told if SIGNAL in signals]
        return {SIGNAL: sum(found) / len(STORED)} if len(found) == len(STORED) else {}

    async def _comparison(
        self, question: str, options: Mapping[str, str], image_url: str | None, place: int
    ) -> tuple[dict[str, float], Cost]:
        mine = f"about this picture: {question} ({'; '.join(options.values())})"
        stored = f"about another picture of usual quality, which is not shown: {STORED[place]}"
        first, second = (mine, stored) if place % 2 == 0 else (stored, mine)
        asked = (
            f"Here are two questions. The first one is {first}\nThe second one is {second}\n"
            "Which of the two could you answer with more certainty?"
        )
        probabilities, cost = await self._probabilities(asked, self.places, image_url)
        return ({SIGNAL: probabilities["A" if place % 2 == 0 else "B"]} if probabilities else {}), cost
