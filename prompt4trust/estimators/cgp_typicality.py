"""Stated typicality: the model is asked whether the picture is a usual one of what it takes it for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from prompt4trust.estimators._second_question import SecondQuestion


class CgpTypicality(SecondQuestion):
    """`CgpLogprob`, and a second question about the same picture, whether it is a typical case of the answer.

    Models are less often right about unusual presentations and no less sure of them. After the idea that the model
    itself may say how usual a case is (Atypical Presentations Recalibration, Qian et al. 2024); wording and measure are
    our own. The signal stated_typicality is the probability of "typical"; see `SecondQuestion`. It is what the model
    says: how far a question lies from known ones is measured by `prompt4trust.shift`.

    Args and errors are those of `CgpLogprob`.
    """

    name = "cgp+typicality"
    signal = "stated_typicality"
    judgements: ClassVar[Mapping[str, str]] = {"A": "A typical appearance", "B": "An unusual appearance"}

    def second_question(self, question: str, options: Mapping[str, str], letter: str) -> str:
        """Word the question whether the picture is typical; see `SecondQuestion.second_question`."""
        return (
            f"A question about this picture was: {question}\n"
            f"Suppose that the answer is: {options[letter]}. Does the picture show this as it mostly looks?"
        )
