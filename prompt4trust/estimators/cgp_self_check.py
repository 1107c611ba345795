"""Self-check: the model is asked whether the answer that it gave is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from prompt4trust.estimators._second_question import SecondQuestion


class CgpSelfCheck(SecondQuestion):
    """`CgpLogprob`, and a second question about the same picture, whether this answer is right.

    P(True) of Kadavath et al. 2022 (arXiv 2207.05221) for a model that sees: the question, its options and the answer
    that was given stand in a question of two options. The signal self_check is the probability of "right"; see
    `SecondQuestion`.

    Args and errors are those of `CgpLogprob`.
    """

    name = "cgp+self-check"
    signal = "self_check"
    judgements: ClassVar[Mapping[str, str]] = {"A": "The proposed answer is right", "B": "The proposed answer is wrong"}

    def second_question(self, question: str, options: Mapping[str, str], letter: str) -> str:
        """Word the question whether an answer is right; see `SecondQuestion.second_question`."""
        return (
            f"A question about this picture was: {question}\n"
            f"It could be answered by: {'; '.join(options.values())}.\n"
            f"The proposed answer is: {options[letter]}. Is that so?"
        )
