"""A second question about the same picture, of two options, whose first one speaks for the answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from prompt4trust.estimators._second_looks import SecondLook, SecondLooks
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Cost
from prompt4trust.verdict import Verdict


class SecondQuestion(SecondLooks):
    """`CgpLogprob`, and one more question, by the same template and without guidance.

    The signal, in [0, 1], is the probability of the judgement under the letter A, the reply's other words counted as
    `letter_signals` does; 0.5 where that reply has no verdict. It is missing where the server reports no
    log-probabilities, or none for the letter of either reply, and for an open question; the answer is valid all the
    same, and its confidence is the one that it stated.
    """

    signal: ClassVar[str]
    """Name of the signal."""
    judgements: ClassVar[Mapping[str, str]]
    """Letter -> text of the second question's two options; "A" speaks for the answer."""

    @abstractmethod
    def second_question(self, question: str, options: Mapping[str, str], letter: str) -> str:
        """Word the second question.

        Args:
            question: The question that was answered.
            options: Letter -> text.
            letter: The answer's letter.
        """

    async def _looks(
        self, question: str, options: Mapping[str, str], image_url: str | None, answer: Answer
    ) -> Sequence[SecondLook]:
        if not isinstance(answer.verdict, Verdict):
            return ()
        asked = self.second_question(question, options, answer.verdict.answer)
        return [SecondLook("cgp+logprob", partial(self._judgement, asked, image_url))]

    async def _judgement(self, asked: str, image_url: str | None) -> tuple[dict[str, float], Cost]:
        found, cost = await self._probabilities(asked, self.judgements, image_url)
        return ({self.signal: found["A"]} if found else {}), cost
