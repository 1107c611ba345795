"""Questions to learn from and to choose by, and the order in which a run goes through them."""

from __future__ import annotations

import fcntl
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prompt4trust.datasets import Dataset, load_dataset
from prompt4trust.datasets.phantoms import PhantomError, generate
from prompt4trust.prompts import PromptTemplate, guide_messages
from prompt4trust.questions import Question
from services.trainer.grpo.config import FileData, PhantomData


class DataError(Exception):
    """The questions cannot be used; the message says why."""


def load_questions(data: PhantomData | FileData, folder: Path) -> Dataset:
    """Read questions with a known answer; phantoms are drawn where they are not there yet.

    Args:
        data: What to read.
        folder: Where phantoms are kept; the same ones are drawn once.

    Returns:
        The questions that have a truth.

    Raises:
        DataError: If there is none, or phantoms cannot be drawn.
        DatasetError: If a file cannot be used.
    """
    if isinstance(data, PhantomData):
        place = folder / f"phantoms-{data.split}-{data.n}-{data.seed}-{data.wordings}"
        try:
            _draw_once(data, place)
        except (PhantomError, OSError) as error:
            raise DataError(str(error)) from error
        dataset = load_dataset(place)
    else:
        dataset = load_dataset(
            data.path,
            images=data.images,
            on_bad=data.on_bad,
            limit=data.limit,
            seed=data.seed,
            min_side=data.min_side,
        )
    known = tuple(question for question in dataset.questions if question.answer is not None)
    if not known:
        raise DataError(f"{dataset.name}: no question has a known answer, so there is nothing to learn from")
    return replace(dataset, questions=known)


def _draw_once(data: PhantomData, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f".{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run, or another process of this one, may want the same
        if not (place / "questions.csv").is_file():
            generate(place, data.n, data.seed, data.split, wordings=data.wordings)


def check_apart(train: Dataset, validation: Dataset) -> None:
    """Make sure that no question is in both splits.

    Raises:
        DataError: If one is.
    """
    shared = {_content(question) for question in train.questions} & {_content(each) for each in validation.questions}
    if shared:
        raise DataError(f"{len(shared)} question(s) are in the training and the validation data: these must be apart")


def draw_order(count: int, needed: int, seed: int) -> list[int]:
    """Choose which question comes when: permutation after permutation, so that none is seen twice before all were.

    The whole order is fixed before the run begins. A resumed run then only has to know how far it came.

    Args:
        count: Number of questions, at least 1.
        needed: Length of the order.
        seed: Of the permutations.

    Returns:
        Indices below count.
    """
    rng = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    order: list[int] = []
    while len(order) < needed:
        turn = list(range(count))
        rng.shuffle(turn)
        order += turn
    return order[:needed]


def training_rows(
    questions: Sequence[Question], order: Sequence[int], template: PromptTemplate
) -> list[dict[str, Any]]:
    """Lay questions out as GRPOTrainer reads them.

    Args:
        questions: All of them.
        order: Which comes when.
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
