"""Training data: the rows that GRPOTrainer reads, and the check that no question is in both splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prompt4trust.datasets import Dataset
from prompt4trust.prompts import PromptTemplate, guide_messages
from prompt4trust.questions import Question
from services.trainer.errors import DataError


def check_apart(train: Dataset, validation: Dataset) -> None:
    """Make sure that no question is in both splits.

    Raises:
        DataError: If one is.
    """
    shared = {_content(question) for question in train.questions} & {_content(each) for each in validation.questions}
    if shared:
        raise DataError(f"{len(shared)} question(s) are in the training and the validation data: these must be apart")


def training_rows(
    questions: Sequence[Question], order: Sequence[int], template: PromptTemplate
) -> list[dict[str, Any]]:
    """Lay questions out as GRPOTrainer reads them.

    Args:
        questions: All of them.
        order: Their order, as indices.
        template: The policy version's own wording, of role "guide".

    Returns:
        One row a prompt: the chat, and the question's id, by which the reward function finds the rest. The truth and
        the picture stay out of what the policy's side of the program handles.
    """
    prompts = [guide_messages(template, question.text, question.options) for question in questions]
    return [{"prompt": prompts[index], "question_id": questions[index].id} for index in order]


def by_id(questions: Sequence[Question]) -> Mapping[str, Question]:
    """Index questions by their id."""
    return {question.id: question for question in questions}


def _content(question: Question) -> tuple[str, str, tuple[str, ...]]:
    # The picture's name tells apart what is asked in the same words of different pictures.
    image = question.image.name if question.image else ""
    return image, question.text, tuple(question.options.values())
